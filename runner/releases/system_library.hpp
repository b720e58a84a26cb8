// SPDX-License-Identifier: Apache-2.0
// A shared library of the system that is opened when it is needed.
#pragma once

#include <boost/dll/shared_library.hpp>
#include <exception>
#include <string>
#include <type_traits>

#include "model/error.hpp"

namespace runner {

class SystemLibrary {
 public:
    /// `product` is what to install when the file is not there. Throws Error{preparation}.
    SystemLibrary(const char* file, const std::string& product) {
        try {
            m_library.load(file, boost::dll::load_mode::rtld_now |
                                     boost::dll::load_mode::search_system_folders);
        } catch (const std::exception& error) {
            throw Error(Failure::preparation,
                        std::string("cannot open ") + file + ": " + error.what(),
                        "install " + product + " or newer");
        }
    }

    /// Sets `function`, a pointer to a function, to the symbol `name`. Throws std::exception when
    /// there is none.
    template <typename Function>
    void find(Function& function, const char* name) const {
        function =
            reinterpret_cast<Function>(reinterpret_cast<void*>(&m_library.get<void()>(name)));
    }

 private:
    boost::dll::shared_library m_library;
};

}  // namespace runner
