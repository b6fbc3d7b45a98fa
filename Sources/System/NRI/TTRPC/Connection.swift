// SPDX-License-Identifier: Apache-2.0

/// A received call.
package struct Call: Hashable, Sendable {
    package var stream: UInt32
    package var service: String
    package var method: String
    /// The payload, a slice of the call's frame.
    package var payload: ArraySlice<UInt8>
    /// The caller's time-out in nanoseconds; 0 for none.
    package var timeout: Int64

    package init(stream: UInt32, service: String, method: String, payload: ArraySlice<UInt8>, timeout: Int64) {
        self.stream = stream
        self.service = service
        self.method = method
        self.payload = payload
        self.timeout = timeout
    }
}

/// A transmitted error: a gRPC status code and a text.
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

/// One side of a ttrpc connection without I/O: bytes are inputs, events and bytes are outputs.
///
/// Client and server are symmetric; NRI uses one connection for each direction.
package struct Connection: Sendable {
    /// The result of received bytes.
    package enum Event: Hashable, Sendable {
        /// A call of the peer.
        case call(Call)
        /// The answer to this side's call on that stream.
        case reply(stream: UInt32, Result)
        /// Bytes to send, for an answer of the connection itself.
        case send([UInt8])
    }

    /// The answer to a call.
    package enum Result: Hashable, Sendable {
        case success([UInt8])
        case failure(RPCFailure)
    }

    private var decoder = FrameDecoder()
    private var lastStream: UInt32 = 0
    private var nextStream: UInt32 = 1

    package init() {}

    // MARK: Calling

    /// Encodes a call, and returns it with the stream of its answer.
    package mutating func call(
        service: String, method: String, payload: [UInt8], timeout: Int64 = 0
    ) -> (stream: UInt32, bytes: [UInt8]) {
        let stream = nextStream
        nextStream &+= 2
        var request = ProtobufWriter()
        request.text(1, service)
        request.text(2, method)
        if !payload.isEmpty { request.element(3, payload) }
        request.integer(4, timeout)
        return (stream, Frame(stream: stream, type: Frame.request, data: request.bytes).bytes)
    }

    // MARK: Answering

    /// Encodes the answer to the call on that stream. An answer beyond the limit becomes an error, because the peer would close the
    /// connection.
    package func answer(_ stream: UInt32, _ result: Result) -> [UInt8] {
        switch result {
        case .success(let payload):
            var response = ProtobufWriter()
            if !payload.isEmpty { response.element(2, payload) }
            guard response.bytes.count <= Frame.dataLimit else {
                return failure(stream, RPCFailure.resourceExhausted, "the answer is longer than 4 MiB")
            }
            return Frame(stream: stream, type: Frame.response, data: response.bytes).bytes
        case .failure(let error):
            return failure(stream, error.code, error.message)
        }
    }

    private func failure(_ stream: UInt32, _ code: Int32, _ message: String) -> [UInt8] {
        var status = ProtobufWriter()
        status.integer(1, Int64(code))
        status.text(2, String(message.prefix(4096)))
        var response = ProtobufWriter()
        response.element(1, status.bytes)
        return Frame(stream: stream, type: Frame.response, data: response.bytes).bytes
    }

    // MARK: Receiving

    /// Receives bytes from the peer.
    package mutating func receive(_ bytes: some Collection<UInt8>) -> [Event] {
        var events: [Event] = []
        for event in decoder.receive(Array(bytes)[...]) {
            switch event {
            case .frame(let frame) where frame.type == Frame.request:
                events.append(accept(frame))
            case .frame(let frame) where frame.type == Frame.response:
                events.append(.reply(stream: frame.stream, Self.result(frame)))
            case .frame:
                // Other types belong to streams, which NRI does not use.
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
        do throws(ProtocolError) {
            var call = Call(stream: frame.stream, service: "", method: "", payload: [], timeout: 0)
            var reader = ProtobufReader(frame.data[...])
            while let field = try reader.next() {
                switch field {
                case (1, .bytes(let bytes)): call.service = try ProtobufReader.text(bytes)
                case (2, .bytes(let bytes)): call.method = try ProtobufReader.text(bytes)
                case (3, .bytes(let bytes)): call.payload = bytes
                case (4, .integer(let value)): call.timeout = Int64(truncatingIfNeeded: value)
                default: continue
                }
            }
            return .call(call)
        } catch {
            return .send(failure(frame.stream, RPCFailure.invalidArgument, "the request is malformed: \(error)"))
        }
    }

    private static func result(_ frame: Frame) -> Result {
        do throws(ProtocolError) {
            var payload: ArraySlice<UInt8> = []
            var status = RPCFailure(code: 0, message: "")
            var reader = ProtobufReader(frame.data[...])
            while let field = try reader.next() {
                switch field {
                case (1, .bytes(let bytes)): try status.merge(bytes)
                case (2, .bytes(let bytes)): payload = bytes
                default: continue
                }
            }
            return status.code == 0 ? .success(Array(payload)) : .failure(status)
        } catch {
            return .failure(RPCFailure(code: RPCFailure.internalError, message: "the answer is malformed: \(error)"))
        }
    }
}

extension RPCFailure {
    fileprivate mutating func merge(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field {
            case (1, .integer(let value)): code = Int32(truncatingIfNeeded: value)
            // The text is informational, and is truncated.
            case (2, .bytes(let bytes)): message = String(decoding: bytes.prefix(ProtobufReader.textLimit), as: UTF8.self)
            default: continue
            }
        }
    }
}
