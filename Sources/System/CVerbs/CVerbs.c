// SPDX-License-Identifier: Apache-2.0

#include "CVerbs.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define FIND(name, symbol)                                                   \
    do {                                                                     \
        *(void **)&verbs->name = dlsym(verbs->library, #symbol);             \
        if (verbs->name == NULL) {                                           \
            snprintf(reason, size, "%s has no %s", name_of_library, #symbol); \
            CVerbs_close(verbs);                                             \
            return -1;                                                       \
        }                                                                    \
    } while (0)

void CVerbs_close(struct CVerbs *verbs) {
    if (verbs->library != NULL) dlclose(verbs->library);
    verbs->library = NULL;
}

int CVerbs_open(struct CVerbs *verbs, const char *name_of_library, char *reason, size_t size) {
    verbs->library = dlopen(name_of_library, RTLD_NOW | RTLD_LOCAL);
    if (verbs->library == NULL) {
        snprintf(reason, size, "%s", dlerror());
        return -1;
    }
    FIND(get_device_list, ibv_get_device_list);
    FIND(free_device_list, ibv_free_device_list);
    FIND(get_device_name, ibv_get_device_name);
    FIND(get_device_guid, ibv_get_device_guid);
    FIND(open_device, ibv_open_device);
    FIND(close_device, ibv_close_device);
    FIND(query_device, ibv_query_device);
    FIND(query_port, ibv_query_port);
    FIND(get_async_event, ibv_get_async_event);
    FIND(ack_async_event, ibv_ack_async_event);
    FIND(event_type_str, ibv_event_type_str);
    return 0;
}

uint64_t CVerbs_guid(const struct CVerbs *verbs, struct ibv_device *device) {
    return __builtin_bswap64((uint64_t)verbs->get_device_guid(device));
}

int CVerbs_query_port(
    const struct CVerbs *verbs, struct ibv_context *context, uint8_t port, struct CVerbs_port *result) {
    struct ibv_port_attr attributes = {0};
    int code = verbs->query_port(context, port, (struct _compat_ibv_port_attr *)&attributes);
    if (code != 0) return code < 0 ? EIO : code;
    *result = (struct CVerbs_port){
        .state = attributes.state,
        .link_layer = attributes.link_layer,
        .width = attributes.active_width,
        .speed = attributes.active_speed,
        .lid = attributes.lid,
    };
    return 0;
}

int CVerbs_async_descriptor(struct ibv_context *context) {
    int flags = fcntl(context->async_fd, F_GETFL);
    if (flags < 0 || fcntl(context->async_fd, F_SETFL, flags | O_NONBLOCK) != 0) return -1;
    return context->async_fd;
}

int CVerbs_next_event(const struct CVerbs *verbs, struct ibv_context *context, int *kind, int *port) {
    struct ibv_async_event event;
    errno = 0;
    if (verbs->get_async_event(context, &event) != 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    *kind = event.event_type;
    switch (event.event_type) {
        case IBV_EVENT_PORT_ACTIVE:
        case IBV_EVENT_PORT_ERR:
        case IBV_EVENT_LID_CHANGE:
        case IBV_EVENT_PKEY_CHANGE:
        case IBV_EVENT_SM_CHANGE:
        case IBV_EVENT_CLIENT_REREGISTER:
        case IBV_EVENT_GID_CHANGE: *port = event.element.port_num; break;
        default: *port = 0;
    }
    verbs->ack_async_event(&event);
    return 1;
}
