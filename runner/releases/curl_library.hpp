// SPDX-License-Identifier: Apache-2.0
// libcurl, opened when the first request is made: a run that fetches nothing does not load the
// network's forty libraries.
#pragma once

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

namespace runner {

/// The functions that are used, with libcurl's own types.
struct CurlLibrary {
    decltype(&::curl_easy_init) easy_init;
    decltype(&::curl_easy_cleanup) easy_cleanup;
    decltype(&::curl_easy_setopt) easy_setopt;
    decltype(&::curl_easy_getinfo) easy_getinfo;
    decltype(&::curl_easy_strerror) easy_strerror;
    decltype(&::curl_multi_init) multi_init;
    decltype(&::curl_multi_cleanup) multi_cleanup;
    decltype(&::curl_multi_setopt) multi_setopt;
    decltype(&::curl_multi_add_handle) multi_add_handle;
    decltype(&::curl_multi_remove_handle) multi_remove_handle;
    decltype(&::curl_multi_perform) multi_perform;
    decltype(&::curl_multi_poll) multi_poll;
    decltype(&::curl_multi_info_read) multi_info_read;
    decltype(&::curl_slist_append) slist_append;
    decltype(&::curl_slist_free_all) slist_free_all;

    /// Opens the library at the first call. Throws Error{preparation} when it is not installed.
    static const CurlLibrary& get();
};

}  // namespace runner
