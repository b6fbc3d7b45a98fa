// SPDX-License-Identifier: Apache-2.0

#include "CGRPC.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

void *CGRPC_open(const char *target, const char *authority) {
    grpc_init();
    grpc_arg settings[] = {
        {.type = GRPC_ARG_STRING, .key = GRPC_ARG_DEFAULT_AUTHORITY, .value.string = (char *)authority},
        {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, .value.integer = -1},
        // Each channel has its own connection, like a restarted kubelet.
        {.type = GRPC_ARG_INTEGER, .key = GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, .value.integer = 1},
    };
    grpc_channel_args args = {.num_args = sizeof settings / sizeof settings[0], .args = settings};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

void CGRPC_close(void *channel) {
    grpc_channel_destroy(channel);
    grpc_shutdown();
}

/// Copies a message out of its buffer, and destroys the buffer.
static void take(struct CGRPC_Reply *reply, grpc_byte_buffer *message) {
    if (message == NULL) return;
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, message)) {
        grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
        reply->count = GRPC_SLICE_LENGTH(all);
        reply->bytes = malloc(reply->count > 0 ? reply->count : 1);
        if (reply->bytes != NULL) memcpy(reply->bytes, GRPC_SLICE_START_PTR(all), reply->count);
        grpc_slice_unref(all);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(message);
}

struct CGRPC_Reply CGRPC_call(
    void *channel, const char *method, const uint8_t *bytes, size_t count, int64_t timeout_milliseconds) {
    struct CGRPC_Reply reply = {0};
    grpc_completion_queue *queue = grpc_completion_queue_create_for_pluck(NULL);
    gpr_timespec deadline = gpr_time_add(
        gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_milliseconds, GPR_TIMESPAN));
    grpc_slice path = grpc_slice_from_copied_string(method);
    grpc_call *call =
        grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, path, NULL, deadline, NULL);

    grpc_slice data = grpc_slice_from_copied_buffer((const char *)bytes, count);
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&data, 1);
    grpc_byte_buffer *response = NULL;
    grpc_metadata_array initial, trailing;
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    grpc_status_code status = GRPC_STATUS_UNKNOWN;
    grpc_slice details = grpc_empty_slice();

    grpc_op ops[6];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &response;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &trailing;
    ops[5].data.recv_status_on_client.status = &status;
    ops[5].data.recv_status_on_client.status_details = &details;

    if (grpc_call_start_batch(call, ops, 6, call, NULL) == GRPC_CALL_OK)
        grpc_completion_queue_pluck(queue, call, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

    reply.status = status;
    reply.details = grpc_slice_to_c_string(details);
    take(&reply, response);
    grpc_byte_buffer_destroy(request);
    grpc_slice_unref(data);
    grpc_slice_unref(path);
    grpc_slice_unref(details);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_call_unref(call);
    grpc_completion_queue_shutdown(queue);
    grpc_completion_queue_destroy(queue);
    return reply;
}

void CGRPC_free(struct CGRPC_Reply *reply) {
    gpr_free(reply->details);
    free(reply->bytes);
    reply->details = NULL;
    reply->bytes = NULL;
}

struct stream {
    grpc_call *call;
    grpc_completion_queue *queue;
    grpc_metadata_array initial;
    grpc_byte_buffer *message;
    int isWaiting;
};

void *CGRPC_stream(void *channel, const char *method, const uint8_t *bytes, size_t count) {
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) return NULL;
    stream->queue = grpc_completion_queue_create_for_pluck(NULL);
    grpc_slice path = grpc_slice_from_copied_string(method);
    stream->call = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS, stream->queue, path, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_slice_unref(path);
    grpc_metadata_array_init(&stream->initial);
    grpc_slice data = grpc_slice_from_copied_buffer((const char *)bytes, count);
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&data, 1);
    grpc_op ops[4];
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &stream->initial;
    if (grpc_call_start_batch(stream->call, ops, 4, stream, NULL) == GRPC_CALL_OK)
        grpc_completion_queue_pluck(stream->queue, stream, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_byte_buffer_destroy(request);
    grpc_slice_unref(data);
    return stream;
}

struct CGRPC_Reply CGRPC_next(void *opaque, int64_t timeout_milliseconds) {
    struct stream *stream = opaque;
    struct CGRPC_Reply reply = {.status = GRPC_STATUS_DEADLINE_EXCEEDED};
    if (!stream->isWaiting) {
        grpc_op op;
        memset(&op, 0, sizeof op);
        op.op = GRPC_OP_RECV_MESSAGE;
        op.data.recv_message.recv_message = &stream->message;
        if (grpc_call_start_batch(stream->call, &op, 1, &stream->message, NULL) != GRPC_CALL_OK) return reply;
        stream->isWaiting = 1;
    }
    gpr_timespec end = gpr_time_add(
        gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_milliseconds, GPR_TIMESPAN));
    grpc_event event = grpc_completion_queue_pluck(stream->queue, &stream->message, end, NULL);
    if (event.type != GRPC_OP_COMPLETE) return reply;
    stream->isWaiting = 0;
    reply.status = stream->message == NULL ? GRPC_STATUS_UNAVAILABLE : GRPC_STATUS_OK;
    take(&reply, stream->message);
    stream->message = NULL;
    return reply;
}

void CGRPC_end(void *opaque) {
    struct stream *stream = opaque;
    grpc_call_cancel(stream->call, NULL);
    if (stream->isWaiting) {
        grpc_completion_queue_pluck(stream->queue, &stream->message, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (stream->message != NULL) grpc_byte_buffer_destroy(stream->message);
    }
    grpc_metadata_array_destroy(&stream->initial);
    grpc_call_unref(stream->call);
    grpc_completion_queue_shutdown(stream->queue);
    grpc_completion_queue_destroy(stream->queue);
    free(stream);
}
