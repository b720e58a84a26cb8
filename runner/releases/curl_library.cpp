// SPDX-License-Identifier: Apache-2.0
#include "releases/curl_library.hpp"

#include "releases/system_library.hpp"

namespace runner {
namespace {

CurlLibrary open_library() {
    static SystemLibrary library(RUNNER_CURL_LIBRARY, "libcurl 7.88");
    CurlLibrary curl{};
    library.find(curl.easy_init, "curl_easy_init");
    library.find(curl.easy_cleanup, "curl_easy_cleanup");
    library.find(curl.easy_setopt, "curl_easy_setopt");
    library.find(curl.easy_getinfo, "curl_easy_getinfo");
    library.find(curl.easy_strerror, "curl_easy_strerror");
    library.find(curl.multi_init, "curl_multi_init");
    library.find(curl.multi_cleanup, "curl_multi_cleanup");
    library.find(curl.multi_setopt, "curl_multi_setopt");
    library.find(curl.multi_add_handle, "curl_multi_add_handle");
    library.find(curl.multi_remove_handle, "curl_multi_remove_handle");
    library.find(curl.multi_perform, "curl_multi_perform");
    library.find(curl.multi_poll, "curl_multi_poll");
    library.find(curl.multi_info_read, "curl_multi_info_read");
    library.find(curl.slist_append, "curl_slist_append");
    library.find(curl.slist_free_all, "curl_slist_free_all");
    decltype(&::curl_global_init) global_init = nullptr;
    library.find(global_init, "curl_global_init");
    global_init(CURL_GLOBAL_DEFAULT);
    return curl;
}

}  // namespace

const CurlLibrary& CurlLibrary::get() {
    static const CurlLibrary curl = open_library();
    return curl;
}

}  // namespace runner
