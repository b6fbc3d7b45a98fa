// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NRI
import NRIMessages
import SwiftProtobuf
import Testbed
import Testing

struct TTRPCTests {
    private func frame(_ stream: UInt32, _ type: UInt8, _ data: [UInt8]) -> [UInt8] {
        Frame(stream: stream, type: type, data: data).bytes
    }

    @Test
    func `a frame has its length, stream, type and flags in network order`() {
        let frame = Frame(stream: 0x0102_0305, type: 1, flags: 0, data: [0xaa, 0xbb])
        #expect(frame.bytes == hex("00000002 01020305 01 00 aabb"))
    }

    @Test
    func `a call is encoded with its service, method and payload`() throws {
        var connection = Connection()
        var body = NRIRegisterPluginRequest()
        body.pluginName = "near"
        body.pluginIdx = "10"
        let call = try connection.call(service: "S", method: "M", payload: body, timeout: 5)
        #expect(
            call.bytes
                == hex(
                    """
                    00000014 00000001 01 00              // 20 bytes, stream 1, request
                    0a 01 53                             // service
                    12 01 4d                             // method
                    1a 0a 0a 04 6e656172 12 02 3130      // payload: plugin_name 1, plugin_idx 2
                    20 05                                // timeout_nano
                    """))
        #expect(try connection.call(service: "S", method: "M", payload: body).stream == 3)
    }

    @Test
    func `a frame with damaged data is the call that the code of protoc decodes, or an error`() throws {
        var request = TTRPCRequest()
        (request.service, request.method, request.payload, request.timeoutNano) = ("service", "method", Data([1, 2, 3]), -1)
        var entry = TTRPCKeyValue()
        (entry.key, entry.value) = ("key", "value")
        request.metadata = [entry]
        let data: [UInt8] = try request.serializedBytes()
        var noise = Noise(seed: 3)
        var calls = 0
        for _ in 0..<5000 {
            let spoiled = noise.spoil(data)
            var server = Connection()
            let events = server.receive(frame(1, 1, spoiled))
            guard let expected = try? TTRPCRequest(serializedBytes: spoiled) else { continue }
            if case .call(let call) = events.first {
                #expect(call.service == expected.service && call.method == expected.method)
                #expect(call.payload == ArraySlice(expected.payload) && call.timeout == expected.timeoutNano)
                calls += 1
            } else {
                // Groups, which no peer sends, are an error.
                #expect(status(events) == 3)
            }
        }
        #expect(calls > 300)
    }

    @Test
    func `calls and replies are complete for chunks of any size`() throws {
        var client = Connection()
        var server = Connection()
        var bytes: [UInt8] = []
        for index in 0..<5 {
            var body = NRIConfigureRequest()
            body.runtimeName = String(repeating: "x", count: index * 40)
            bytes += try client.call(service: "S", method: "M\(index)", payload: body).bytes
        }
        var calls: [Call] = []
        for byte in bytes {
            for case .call(let call) in server.receive([byte]) { calls.append(call) }
        }
        #expect(calls.map(\.method) == ["M0", "M1", "M2", "M3", "M4"])
        #expect(calls.map(\.stream) == [1, 3, 5, 7, 9])
        let answers = calls.reversed().flatMap { server.answer($0.stream, .success([1, 2])) }
        var replies: [UInt32] = []
        for byte in answers {
            for case .reply(let stream, .success([1, 2])) in client.receive([byte]) { replies.append(stream) }
        }
        #expect(replies == [9, 7, 5, 3, 1])
    }

    @Test
    func `an incomplete frame gives no event`() throws {
        var client = Connection()
        let bytes = try client.call(service: "S", method: "M", payload: NRIEmpty()).bytes
        for length in 0..<bytes.count {
            var server = Connection()
            #expect(server.receive(bytes[..<length]).isEmpty, "cut at \(length)")
        }
    }

    @Test
    func `a call on an invalid stream gets an error, and the connection stays open`() throws {
        var server = Connection()
        var client = Connection()
        let call = try client.call(service: "S", method: "M", payload: NRIEmpty()).bytes
        let body = Array(call[Frame.headerLength...])
        for stream: UInt32 in [2, 0] {
            #expect(status(server.receive(frame(stream, 1, body))) == 3)
        }
        #expect(server.receive(frame(7, 1, body)).count == 1)
        #expect(status(server.receive(frame(5, 1, body))) == 3, "an older stream")
        guard case .call = server.receive(frame(9, 1, body)).first else {
            Issue.record("the connection did not go on")
            return
        }
    }

    @Test
    func `a malformed request gets an error`() {
        var server = Connection()
        #expect(status(server.receive(frame(1, 1, [0xff, 0xff, 0xff]))) == 3)
    }

    @Test
    func `a message over the limit is skipped and refused, and the next one is received`() throws {
        var server = Connection()
        let length = Frame.dataLimit + 1
        let header = bigEndian(UInt32(length)) + bigEndian(1) + [1, 0]
        #expect(status(server.receive(header)) == 8)
        #expect(server.receive([UInt8](repeating: 0, count: length - 1)).isEmpty)
        var client = Connection()
        _ = try client.call(service: "S", method: "M", payload: NRIEmpty())
        let next = try client.call(service: "S", method: "N", payload: NRIEmpty()).bytes
        guard case .call(let call) = server.receive([0] + next).first else {
            Issue.record("the next call was not heard")
            return
        }
        #expect(call.method == "N")
    }

    @Test
    func `an answer over the limit becomes an error`() {
        let server = Connection()
        let bytes = server.answer(1, .success([UInt8](repeating: 0, count: Frame.dataLimit + 1)))
        #expect(bytes.count < 1000)
        var client = Connection()
        guard case .reply(1, .failure(let failure)) = client.receive(bytes).first else {
            Issue.record("no failure")
            return
        }
        #expect(failure.code == 8)
    }

    @Test
    func `unknown frame types are ignored`() throws {
        var server = Connection()
        #expect(server.receive(frame(1, 3, [1])).isEmpty)
        #expect(server.receive(frame(1, 99, [])).isEmpty)
    }

    /// The status code of the one answer by the connection itself.
    private func status(_ events: [Connection.Event]) -> Int32? {
        guard case .send(let bytes) = events.first, events.count == 1,
            let response = try? TTRPCResponse(serializedBytes: Array(bytes[Frame.headerLength...]))
        else { return nil }
        return response.status.code
    }
}
