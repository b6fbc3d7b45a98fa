// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NRIMessages
package import SwiftProtobuf

/// A call that arrived.
package struct Call: Hashable, Sendable {
    package var stream: UInt32
    package var service: String
    package var method: String
    package var payload: [UInt8]
    /// How long the caller waits, in nanoseconds; 0 for ever.
    package var timeout: Int64

    package init(stream: UInt32, service: String, method: String, payload: [UInt8], timeout: Int64) {
        self.stream = stream
        self.service = service
        self.method = method
        self.payload = payload
        self.timeout = timeout
    }
}

/// An error as it travels: a gRPC status code and a text.
package struct RPCFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package var code: Int32
    package var message: String

    package init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    package static let unknown: Int32 = 2
    package static let invalidArgument: Int32 = 3
    package static let resourceExhausted: Int32 = 8
    package static let unimplemented: Int32 = 12
    package static let internalError: Int32 = 13

    package var description: String { "\(message) (code \(code))" }
}

/// One side of a ttrpc connection, without its I/O: bytes go in, events and bytes come out.
///
/// The side that calls and the side that serves are the same; NRI uses one connection for each
/// direction.
package struct Connection: Sendable {
    package enum Event: Hashable, Sendable {
        /// Somebody calls us.
        case call(Call)
        /// The answer to our call on that stream.
        case reply(stream: UInt32, Result)
        /// Bytes to send: an answer that the connection gives by itself.
        case send([UInt8])
    }

    package enum Result: Hashable, Sendable {
        case success([UInt8])
        case failure(RPCFailure)
    }

    private var decoder = FrameDecoder()
    private var lastStream: UInt32 = 0
    private var nextStream: UInt32 = 1

    package init() {}

    // MARK: Calling

    /// A call to send, with the stream its answer will come on.
    package mutating func call(
        service: String, method: String, payload: some Message, timeout: Int64 = 0
    ) throws(RPCFailure) -> (stream: UInt32, bytes: [UInt8]) {
        let stream = nextStream
        nextStream &+= 2
        do {
            var request = TTRPCRequest()
            request.service = service
            request.method = method
            request.payload = try payload.serializedBytes()
            request.timeoutNano = timeout
            return (stream, Frame(stream: stream, type: Frame.request, data: try request.serializedBytes()).bytes)
        } catch { throw RPCFailure(code: RPCFailure.internalError, message: "cannot encode \(method): \(error)") }
    }

    // MARK: Answering

    /// The answer to a call. One that is too long becomes an error: a peer would close the connection.
    package func answer(_ call: Call, _ result: Result) -> [UInt8] {
        switch result {
        case .success(let payload):
            var response = TTRPCResponse()
            response.payload = Data(payload)
            guard let data: [UInt8] = try? response.serializedBytes(), data.count <= Frame.dataLimit else {
                return failure(
                    call.stream, RPCFailure.resourceExhausted, "the answer to \(call.method) is longer than 4 MiB")
            }
            return Frame(stream: call.stream, type: Frame.response, data: data).bytes
        case .failure(let error):
            return failure(call.stream, error.code, error.message)
        }
    }

    private func failure(_ stream: UInt32, _ code: Int32, _ message: String) -> [UInt8] {
        var response = TTRPCResponse()
        response.status.code = code
        response.status.message = String(message.prefix(4096))
        // A message of two short fields always encodes.
        let data: [UInt8] = (try? response.serializedBytes()) ?? []
        return Frame(stream: stream, type: Frame.response, data: data).bytes
    }

    // MARK: Receiving

    package mutating func receive(_ bytes: some Sequence<UInt8>) -> [Event] {
        decoder.append(bytes)
        var events: [Event] = []
        while let event = decoder.next() {
            switch event {
            case .frame(let frame) where frame.type == Frame.request:
                events.append(accept(frame))
            case .frame(let frame) where frame.type == Frame.response:
                events.append(.reply(stream: frame.stream, Self.result(frame)))
            case .frame:
                // Types we do not know belong to streams, which nobody here uses.
                continue
            case .oversized(let stream, let type, let length):
                let message = "a message of \(length) bytes is longer than 4 MiB"
                if type == Frame.request {
                    lastStream = max(lastStream, stream)
                    events.append(.send(failure(stream, RPCFailure.resourceExhausted, message)))
                } else {
                    events.append(
                        .reply(
                            stream: stream,
                            .failure(RPCFailure(code: RPCFailure.resourceExhausted, message: message))))
                }
            }
        }
        return events
    }

    private mutating func accept(_ frame: Frame) -> Event {
        guard frame.stream % 2 == 1, frame.stream > lastStream else {
            return .send(
                failure(frame.stream, RPCFailure.invalidArgument, "stream \(frame.stream) cannot begin a call"))
        }
        lastStream = frame.stream
        do {
            let request = try TTRPCRequest(serializedBytes: frame.data)
            return .call(
                Call(
                    stream: frame.stream, service: request.service, method: request.method,
                    payload: [UInt8](request.payload), timeout: request.timeoutNano))
        } catch {
            return .send(failure(frame.stream, RPCFailure.invalidArgument, "the request is malformed: \(error)"))
        }
    }

    private static func result(_ frame: Frame) -> Result {
        do {
            let response = try TTRPCResponse(serializedBytes: frame.data)
            guard response.hasStatus, response.status.code != 0 else { return .success([UInt8](response.payload)) }
            return .failure(RPCFailure(code: response.status.code, message: response.status.message))
        } catch {
            return .failure(RPCFailure(code: RPCFailure.internalError, message: "the answer is malformed: \(error)"))
        }
    }
}
