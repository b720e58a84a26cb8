// SPDX-License-Identifier: Apache-2.0
// Linked into the programs under ThreadSanitizer. The runtime of gcc 12 makes a thread's room for
// pending signals at its first wait; a signal that comes just then is put into a second room, which
// nobody looks into (later runtimes agree on one). So the first wait is over before anyone signals.
#include <poll.h>

__attribute__((constructor)) static void wait_once() {
    ::poll(nullptr, 0, 0);
}
