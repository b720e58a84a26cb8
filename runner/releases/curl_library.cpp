// SPDX-License-Identifier: Apache-2.0
#include "releases/curl_library.hpp"

#include <boost/dll/shared_library.hpp>

#include "model/error.hpp"

namespace runner {
namespace {

CurlLibrary open_library() {
    static boost::dll::shared_library library;
    try {
        library.load(RUNNER_CURL_LIBRARY, boost::dll::load_mode::rtld_now |
                                              boost::dll::load_mode::search_system_folders);
    } catch (const std::exception& error) {
        throw Error(Failure::preparation,
                    std::string("cannot open ") + RUNNER_CURL_LIBRARY + ": " + error.what(),
                    "install libcurl 7.88 or newer");
    }
    CurlLibrary curl{};
    const auto find = [&](auto& function, const char* name) {
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(
            reinterpret_cast<void*>(&library.get<void()>(name)));
    };
    find(curl.easy_init, "curl_easy_init");
    find(curl.easy_cleanup, "curl_easy_cleanup");
    find(curl.easy_setopt, "curl_easy_setopt");
    find(curl.easy_getinfo, "curl_easy_getinfo");
    find(curl.easy_strerror, "curl_easy_strerror");
    find(curl.multi_init, "curl_multi_init");
    find(curl.multi_cleanup, "curl_multi_cleanup");
    find(curl.multi_setopt, "curl_multi_setopt");
    find(curl.multi_add_handle, "curl_multi_add_handle");
    find(curl.multi_remove_handle, "curl_multi_remove_handle");
    find(curl.multi_perform, "curl_multi_perform");
    find(curl.multi_poll, "curl_multi_poll");
    find(curl.multi_info_read, "curl_multi_info_read");
    find(curl.slist_append, "curl_slist_append");
    find(curl.slist_free_all, "curl_slist_free_all");
    decltype(&::curl_global_init) global_init = nullptr;
    find(global_init, "curl_global_init");
    global_init(CURL_GLOBAL_DEFAULT);
    return curl;
}

}  // namespace

const CurlLibrary& CurlLibrary::get() {
    static const CurlLibrary curl = open_library();
    return curl;
}

}  // namespace runner
