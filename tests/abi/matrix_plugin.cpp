// SPDX-License-Identifier: Apache-2.0
// What C++ runtimes disagree about: strings, streams, exceptions, thread-local values, RTTI; behind
// the C ABI.
#include <memory>
#include <sstream>
#include <upgrade/sdk.hpp>
#include <vector>

namespace {

thread_local std::vector<std::string> t_lines;

struct Matrix final : upgrade::Upgrade {
    void preflight(upgrade::Context& context) override {
        std::ostringstream stream;
        stream << "a line longer than any small string buffer is, number " << 42;
        context.log(stream.str());
        throw upgrade::Blocked("blocked by hand", "unblock it");
    }
    void apply(upgrade::Context& context) override {
        t_lines.push_back("kept");
        context.state().set("key", std::string(1000, 'x'));
        if (context.state().get("key")->size() != 1000 || context.state().get("other"))
            throw std::runtime_error("state reads wrong");
        const std::unique_ptr<upgrade::Upgrade> other = std::make_unique<Matrix>();
        if (dynamic_cast<Matrix*>(other.get()) == nullptr) throw std::runtime_error("no RTTI");
    }
    // This host has no files: a message, not a crash.
    void verify(upgrade::Context& context) override { context.files().read("anything"); }
    void rollback(upgrade::Context&) override { throw 42; }
};

}  // namespace

UPGRADE_PLUGIN(Matrix)
