// SPDX-License-Identifier: Apache-2.0

import NRI
import NRIMessages
import SwiftProtobuf
import Testbed
import Testing

struct NRITests {
    @Test
    func `a mux frame has its connection and length in network order`() {
        #expect(Mux.frames(2, [0xaa]) == hex("00000002 00000001 aa"))
    }

    @Test
    func `a long message begins with a frame of 4096 bytes and continues with another one`() {
        let bytes = [UInt8](repeating: 7, count: 10_000)
        let frames = Mux.frames(1, bytes)
        #expect(frames.count == 10_016)
        #expect(Array(frames[..<8]) == hex("00000001 00001000"))
        #expect(Array(frames[(8 + 4096)..<(16 + 4096)]) == hex("00000001 00001710"))
    }

    @Test
    func `frames are decoded from chunks of any size, and unknown connections are dropped`() throws {
        let stream =
            Mux.frames(1, [1, 2, 3]) + hex("00000009 00000002 ffff") + Mux.frames(2, [4]) + hex("00000001 00000000") + Mux.frames(1, [5])
        for size in [1, 2, 3, 7, 100] {
            var decoder = MuxDecoder()
            var received: [UInt32: [UInt8]] = [:]
            for start in stride(from: 0, to: stream.count, by: size) {
                for part in try decoder.receive(stream[start..<min(start + size, stream.count)]) {
                    received[part.connection, default: []] += part.bytes
                }
            }
            #expect(received == [1: [1, 2, 3, 5], 2: [4]])
        }
    }

    @Test
    func `an invalid frame ends the connection with a reason`() {
        var decoder = MuxDecoder()
        let error = #expect(throws: ProtocolError.self) { try decoder.receive(hex("00000001 ffffffff 00")) }
        #expect(error?.code == .longFrame && error?.object == "connection 1")
    }

    @Test
    func `registration is the first message, on the runtime's connection`() {
        var session = PluginSession()
        #expect(
            session.register(name: "near", index: "10")
                == hex(
                    """
                    00000002 00000044                        // connection 2, 68 bytes
                    0000003a 00000001 01 00                  // ttrpc: 58 bytes, stream 1, request
                    0a1c 6e72692e706b672e6170692e7631616c706861312e52756e74696d65 // nri.pkg.api.v1alpha1.Runtime
                    120e 5265676973746572506c7567696e        // RegisterPlugin
                    1a0a 0a04 6e656172 1202 3130             // plugin_name, plugin_idx
                    """))
    }

    private static let service = "nri.pkg.api.v1alpha1.Plugin"

    private func send(
        _ method: String, _ request: some Message, to session: inout PluginSession, _ client: inout Connection,
        service: String = service
    ) throws -> [PluginSession.Output] {
        let call = try client.call(service: service, method: method, payload: request)
        // Byte by byte, because results must not depend on the chunks of a socket.
        var outputs: [PluginSession.Output] = []
        for byte in Mux.frames(Mux.plugin, call.bytes) { outputs += try session.receive([byte]) }
        return outputs
    }

    private func reply(_ bytes: [UInt8], _ client: inout Connection) throws -> Connection.Result? {
        var mux = MuxDecoder()
        for part in try mux.receive(bytes) where part.connection == Mux.plugin {
            for case .reply(_, let result) in client.receive(part.bytes) { return result }
        }
        return nil
    }

    private static let pod: NRIPodSandbox = {
        var pod = NRIPodSandbox()
        (pod.id, pod.uid, pod.name, pod.namespace) = ("s1", "u1", "p", "default")
        var other = NRILinuxNamespace()
        (other.type, other.path) = ("ipc", "/proc/1/ns/ipc")
        var network = NRILinuxNamespace()
        (network.type, network.path) = ("network", "/run/netns/x")
        pod.linux.namespaces = [other, network]
        return pod
    }()

    @Test
    func `the answer to Configure subscribes to sandboxes and container creation`() throws {
        var session = PluginSession()
        var client = Connection()
        var request = NRIConfigureRequest()
        request.runtimeName = "containerd"
        request.requestTimeout = 1500
        let outputs = try send("Configure", request, to: &session, &client)
        guard case .event(.configure("containerd", _, let timeout), let token) = outputs.first, timeout == .milliseconds(1500) else {
            Issue.record("no configure event")
            return
        }
        guard case .success(let payload) = try reply(session.answer(token), &client) else {
            Issue.record("no answer")
            return
        }
        #expect(payload == hex("10 0f"), "events is field 2 and has the bits 1, 2, 4 and 8")
    }

    @Test
    func `pod events are decoded as separate calls and as state changes`() throws {
        var session = PluginSession()
        var client = Connection()
        var direct = NRIPodSandboxRequest()
        direct.pod = Self.pod
        var change = NRIStateChangeEvent()
        change.pod = Self.pod
        for (method, event) in [
            ("RunPodSandbox", NRIEvent.runPodSandbox), ("StopPodSandbox", .stopPodSandbox), ("RemovePodSandbox", .removePodSandbox),
        ] {
            change.event = event
            for outputs in [try send(method, direct, to: &session, &client), try send("StateChange", change, to: &session, &client)] {
                guard case .event(let heard, _) = outputs.first else {
                    Issue.record("no event for \(method)")
                    continue
                }
                switch (event, heard) {
                case (.runPodSandbox, .runPodSandbox(let pod)), (.stopPodSandbox, .stopPodSandbox(let pod)),
                    (.removePodSandbox, .removePodSandbox(let pod)):
                    #expect(pod.networkNamespace == "/run/netns/x")
                default: Issue.record("\(method) was heard as another event")
                }
            }
        }
    }

    @Test
    func `a synchronization in parts is one event with all pods`() throws {
        var session = PluginSession()
        var client = Connection()
        var part = NRISynchronizeRequest()
        part.pods = [Self.pod]
        part.more = true
        guard case .send(let bytes) = try send("Synchronize", part, to: &session, &client).first,
            case .success(let payload) = try reply(bytes, &client)
        else {
            Issue.record("the first part was not answered")
            return
        }
        #expect(payload == hex("10 01"), "more is field 2")
        part.more = false
        guard case .event(.synchronize(let pods, _), _) = try send("Synchronize", part, to: &session, &client).first else {
            Issue.record("no event")
            return
        }
        #expect(pods.count == 2)
    }

    @Test
    func `a synchronization keeps only pods and running containers`() throws {
        var session = PluginSession()
        var client = Connection()
        var part = NRISynchronizeRequest()
        part.pods = [Self.pod]
        for (sandbox, state) in [("s1", NRIContainerState.containerRunning), ("s2", .containerStopped), ("s3", .containerPaused)] {
            var container = NRIContainer()
            (container.podSandboxID, container.state) = (sandbox, state)
            // Field 100, 3 bytes: an unknown field.
            try container.merge(serializedBytes: hex("a2 06 03 616263"))
            part.containers.append(container)
        }
        try part.pods[0].merge(serializedBytes: hex("a2 06 03 616263"))
        part.more = true
        _ = try send("Synchronize", part, to: &session, &client)
        part.containers = []
        part.more = false
        guard case .event(.synchronize(let pods, let running), _) = try send("Synchronize", part, to: &session, &client).first else {
            Issue.record("no event")
            return
        }
        #expect(running == ["s1", "s3"])
        #expect(pods == [PodSandbox(Self.pod), PodSandbox(Self.pod)])
    }

    @Test
    func `an error in an answer reaches the runtime with its text`() throws {
        var session = PluginSession()
        var client = Connection()
        var request = NRICreateContainerRequest()
        request.pod = Self.pod
        guard case .event(_, let token) = try send("CreateContainer", request, to: &session, &client).first else {
            Issue.record("no event")
            return
        }
        let result = try reply(session.answer(token, .failure("not yet")), &client)
        #expect(result == .failure(RPCFailure(code: 2, message: "not yet")))
    }

    @Test
    func `a hook in an answer has the form that the runtime reads`() throws {
        var session = PluginSession()
        var client = Connection()
        var request = NRICreateContainerRequest()
        request.pod = Self.pod
        guard case .event(_, let token) = try send("CreateContainer", request, to: &session, &client).first else {
            Issue.record("no event")
            return
        }
        let hook = CreateRuntimeHook(path: "/g", arguments: ["a"], timeout: .seconds(30))
        let result = try reply(session.answer(token, .hooks([hook])), &client)
        // adjust 1, hooks 5, create_runtime 2: path 1, args 2, timeout 4 (nri api.proto).
        #expect(result == .success(hex("0a 0f 2a 0d 12 0b 0a 02 2f 67 12 01 61 22 02 08 1e")))
    }

    @Test
    func `unknown methods and services are unimplemented, and malformed requests are invalid`() throws {
        var session = PluginSession()
        var client = Connection()
        func code(_ outputs: [PluginSession.Output]) throws -> Int32? {
            guard case .send(let bytes) = outputs.first, case .failure(let failure) = try reply(bytes, &client) else { return nil }
            return failure.code
        }
        #expect(try code(send("UpdatePodSandbox", NRIEmpty(), to: &session, &client)) == 12)
        #expect(try code(send("Configure", NRIEmpty(), to: &session, &client, service: "other")) == 12)
        var raw = TTRPCKeyValue()
        raw.key = "\u{7f}"
        #expect(try code(send("RunPodSandbox", raw, to: &session, &client)) == 3)
    }
}
