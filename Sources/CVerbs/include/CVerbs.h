// SPDX-License-Identifier: Apache-2.0
//
// libibverbs, opened when it is wanted, so that a node without RDMA user space still starts.
#ifndef NEARSIDE_CVERBS_H
#define NEARSIDE_CVERBS_H

#include <dlfcn.h>
#include <infiniband/verbs.h>
#include <stddef.h>
#include <stdint.h>

struct CVerbs {
    void *library;
    struct ibv_device **(*get_device_list)(int *);
    void (*free_device_list)(struct ibv_device **);
    const char *(*get_device_name)(struct ibv_device *);
    __be64 (*get_device_guid)(struct ibv_device *);
    struct ibv_context *(*open_device)(struct ibv_device *);
    int (*close_device)(struct ibv_context *);
    int (*query_port)(struct ibv_context *, uint8_t, struct _compat_ibv_port_attr *);
};

/// 0 when the library is there with all that is needed.
static inline int CVerbs_open(struct CVerbs *verbs) {
    verbs->library = dlopen("libibverbs.so.1", RTLD_NOW | RTLD_LOCAL);
    if (verbs->library == NULL) return -1;
    verbs->get_device_list = (struct ibv_device * *(*)(int *)) dlsym(verbs->library, "ibv_get_device_list");
    verbs->free_device_list = (void (*)(struct ibv_device **))dlsym(verbs->library, "ibv_free_device_list");
    verbs->get_device_name = (const char *(*)(struct ibv_device *))dlsym(verbs->library, "ibv_get_device_name");
    verbs->get_device_guid = (__be64(*)(struct ibv_device *))dlsym(verbs->library, "ibv_get_device_guid");
    verbs->open_device = (struct ibv_context * (*)(struct ibv_device *)) dlsym(verbs->library, "ibv_open_device");
    verbs->close_device = (int (*)(struct ibv_context *))dlsym(verbs->library, "ibv_close_device");
    verbs->query_port =
        (int (*)(struct ibv_context *, uint8_t, struct _compat_ibv_port_attr *))dlsym(verbs->library, "ibv_query_port");
    if (verbs->get_device_list && verbs->free_device_list && verbs->get_device_name && verbs->get_device_guid &&
        verbs->open_device && verbs->close_device && verbs->query_port)
        return 0;
    dlclose(verbs->library);
    return -1;
}

static inline void CVerbs_close(struct CVerbs *verbs) { dlclose(verbs->library); }

static inline struct ibv_device **CVerbs_list(struct CVerbs *verbs, int *count) {
    return verbs->get_device_list(count);
}
static inline void CVerbs_free(struct CVerbs *verbs, struct ibv_device **list) { verbs->free_device_list(list); }
static inline const char *CVerbs_name(struct CVerbs *verbs, struct ibv_device *device) {
    return verbs->get_device_name(device);
}
/// The node GUID in the host's byte order.
static inline uint64_t CVerbs_guid(struct CVerbs *verbs, struct ibv_device *device) {
    return __builtin_bswap64((uint64_t)verbs->get_device_guid(device));
}

/// State, link layer, and speed of a port: -1 when the device cannot be opened or asked.
static inline int CVerbs_port(
    struct CVerbs *verbs, struct ibv_device *device, uint8_t port, int *state, int *link_layer, int *width,
    int *speed) {
    struct ibv_context *context = verbs->open_device(device);
    if (context == NULL) return -1;
    struct ibv_port_attr attributes = {0};
    int result = verbs->query_port(context, port, (struct _compat_ibv_port_attr *)&attributes);
    verbs->close_device(context);
    if (result != 0) return -1;
    *state = attributes.state;
    *link_layer = attributes.link_layer;
    *width = attributes.active_width;
    *speed = attributes.active_speed;
    return 0;
}

#endif
