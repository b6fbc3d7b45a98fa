// SPDX-License-Identifier: Apache-2.0
//
// A blocking client over libgrpc's C core: the kubelet's side of gRPC in tests and the demo. Its
// implementation of HTTP/2 is independent of the server's.
#ifndef NEARSIDE_CGRPC_H
#define NEARSIDE_CGRPC_H

#include <stddef.h>
#include <stdint.h>

struct CGRPC_Reply {
    /// gRPC status code; 0 is success.
    int status;
    /// Text of the status; NULL for a message of a stream.
    char *details;
    /// The response; NULL if there is none.
    uint8_t *bytes;
    size_t count;
};

/// A channel to `unix:PATH`, which connects with the first call. The authority is sent unchanged.
void *CGRPC_open(const char *target, const char *authority);
void CGRPC_close(void *channel);

/// Sends a unary call.
struct CGRPC_Reply CGRPC_call(
    void *channel, const char *method, const uint8_t *bytes, size_t count, int64_t timeout_milliseconds);
/// Starts a call with a stream of responses; waits until the server begins the stream.
void *CGRPC_stream(void *channel, const char *method, const uint8_t *bytes, size_t count);
/// The next message: status 0; 4 after the time-out; 14 at the end of the stream.
struct CGRPC_Reply CGRPC_next(void *stream, int64_t timeout_milliseconds);
void CGRPC_end(void *stream);
void CGRPC_free(struct CGRPC_Reply *reply);

#endif
