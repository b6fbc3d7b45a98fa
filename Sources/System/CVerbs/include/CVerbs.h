// SPDX-License-Identifier: Apache-2.0
//
// libibverbs, opened on demand, so that a node without RDMA user space starts. Most of its functions are
// inline calls through a table of the context; the others are looked up here.
#ifndef NEARSIDE_CVERBS_H
#define NEARSIDE_CVERBS_H

#include <infiniband/verbs.h>
#include <stdint.h>

struct CVerbs {
    void *library;
    struct ibv_device **(*get_device_list)(int *);
    void (*free_device_list)(struct ibv_device **);
    const char *(*get_device_name)(struct ibv_device *);
    __be64 (*get_device_guid)(struct ibv_device *);
    struct ibv_context *(*open_device)(struct ibv_device *);
    int (*close_device)(struct ibv_context *);
    int (*query_device)(struct ibv_context *, struct ibv_device_attr *);
    int (*query_port)(struct ibv_context *, uint8_t, struct _compat_ibv_port_attr *);
    int (*get_async_event)(struct ibv_context *, struct ibv_async_event *);
    void (*ack_async_event)(struct ibv_async_event *);
    const char *(*event_type_str)(enum ibv_event_type);
};

/// 0 if the library has all required symbols; otherwise -1, and the reason in text.
int CVerbs_open(struct CVerbs *verbs, const char *name_of_library, char *reason, size_t size);

/// Safe also if the library could not be opened.
void CVerbs_close(struct CVerbs *verbs);

/// The node GUID in the host's byte order.
uint64_t CVerbs_guid(const struct CVerbs *verbs, struct ibv_device *device);

/// State, link layer, width, speed and local identifier of a port; 0, or an errno.
struct CVerbs_port {
    int state, link_layer, width, speed, lid;
};
int CVerbs_query_port(const struct CVerbs *verbs, struct ibv_context *context, uint8_t port, struct CVerbs_port *result);

/// A non-blocking descriptor that becomes readable with an event.
int CVerbs_async_descriptor(struct ibv_context *context);

/// Reads and acknowledges one event: 1, and its kind and port (0 if it concerns no port); 0 if none is queued;
/// -1 if the device is gone.
int CVerbs_next_event(const struct CVerbs *verbs, struct ibv_context *context, int *kind, int *port);

#endif
