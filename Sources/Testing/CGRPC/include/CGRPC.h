// SPDX-License-Identifier: Apache-2.0
//
// A blocking client over libgrpc's C core: the kubelet's side of gRPC in tests and the demo, through an
// implementation of HTTP/2 that is not the one that serves.
#ifndef NEARSIDE_CGRPC_H
#define NEARSIDE_CGRPC_H

#include <stddef.h>
#include <stdint.h>

struct CGRPC_Reply {
    /// gRPC status code; 0 is success.
    int status;
    /// Text of the status; NULL for a message of a stream.
    char *details;
    /// The answer, NULL when there is none.
    uint8_t *bytes;
    size_t count;
};

/// A channel to `unix:PATH`; nothing is connected yet. The authority is sent as is.
void *CGRPC_open(const char *target, const char *authority);
void CGRPC_close(void *channel);

/// One unary call.
struct CGRPC_Reply CGRPC_call(
    void *channel, const char *method, const uint8_t *bytes, size_t count, int64_t timeout_milliseconds);
/// A call whose answers are a stream; waits for the server to begin it.
void *CGRPC_stream(void *channel, const char *method, const uint8_t *bytes, size_t count);
/// The next message: status 0, or 4 when none came in time, or 14 when the stream has ended.
struct CGRPC_Reply CGRPC_next(void *stream, int64_t timeout_milliseconds);
void CGRPC_end(void *stream);
void CGRPC_free(struct CGRPC_Reply *reply);

#endif
