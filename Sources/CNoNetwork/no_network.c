#include "no_network.h"

#include <stdio.h>
#include <stdlib.h>

#define NOT_HERE(name) \
    void name(void) { \
        fputs("imgrec-agent: " #name " was called, and there is no network here\n", stderr); \
        abort(); \
    }

NOT_HERE(curl_easy_cleanup)
NOT_HERE(curl_easy_getinfo)
NOT_HERE(curl_easy_init)
NOT_HERE(curl_easy_pause)
NOT_HERE(curl_easy_setopt)
NOT_HERE(curl_easy_strerror)
NOT_HERE(curl_global_init)
NOT_HERE(curl_multi_add_handle)
NOT_HERE(curl_multi_assign)
NOT_HERE(curl_multi_cleanup)
NOT_HERE(curl_multi_info_read)
NOT_HERE(curl_multi_init)
NOT_HERE(curl_multi_remove_handle)
NOT_HERE(curl_multi_setopt)
NOT_HERE(curl_multi_socket_action)
NOT_HERE(curl_slist_append)
NOT_HERE(curl_slist_free_all)
NOT_HERE(curl_url)
NOT_HERE(curl_version)
NOT_HERE(curl_version_info)
NOT_HERE(curl_free)
NOT_HERE(curl_url_get)
NOT_HERE(curl_url_set)
