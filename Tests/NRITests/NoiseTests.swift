// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import NRI
import NRIMessages
import SwiftProtobuf
import Testbed
import Testing

/// Any input of a peer gives an event, an error, or nothing, and never a trap or a hang.
struct NoiseTests {
    private static func pod() -> NRIPodSandbox {
        var pod = NRIPodSandbox()
        (pod.id, pod.uid, pod.name, pod.namespace) = ("sandbox", "uid", "name", "default")
        pod.labels = ["a": "b"]
        var network = NRILinuxNamespace()
        (network.type, network.path) = ("network", "/run/netns/x")
        pod.linux.namespaces = [network]
        return pod
    }

    private static func calls() throws -> [UInt8] {
        var client = Connection()
        let service = "nri.pkg.api.v1alpha1.Plugin"
        var bytes: [UInt8] = []
        var configure = NRIConfigureRequest()
        configure.runtimeName = "containerd"
        bytes += Mux.frames(Mux.plugin, try client.call(service: service, method: "Configure", payload: configure).bytes)
        var synchronize = NRISynchronizeRequest()
        synchronize.pods = [pod(), pod()]
        bytes += Mux.frames(Mux.plugin, try client.call(service: service, method: "Synchronize", payload: synchronize).bytes)
        var change = NRIStateChangeEvent()
        (change.event, change.pod) = (.runPodSandbox, pod())
        bytes += Mux.frames(Mux.plugin, try client.call(service: service, method: "StateChange", payload: change).bytes)
        var create = NRICreateContainerRequest()
        create.pod = pod()
        create.container.name = "c"
        bytes += Mux.frames(Mux.plugin, try client.call(service: service, method: "CreateContainer", payload: create).bytes)
        return bytes
    }

    @Test
    func `a session refuses damaged bytes or decodes them as events, and never as more calls than were sent`() throws {
        let calls = try Self.calls()
        var noise = Noise()
        var (heard, refused) = (0, 0)
        for _ in 0..<5_000 {
            var session = PluginSession()
            let bytes = noise.spoil(calls)
            guard let outputs = try? session.receive(bytes) else {
                refused += 1
                continue
            }
            let events = outputs.count { if case .event = $0 { true } else { false } }
            #expect(events <= 4)
            heard += events
            for case .event(_, let token) in outputs { _ = session.answer(token, .failure("x")) }
        }
        #expect(heard > 0 && refused > 0, "heard \(heard) calls, refused \(refused) sessions")
    }

    @Test
    func `a session cut at any byte has received only whole calls`() throws {
        let calls = try Self.calls()
        for length in 0..<calls.count {
            var session = PluginSession()
            #expect(try session.receive(calls[..<length]).count < 4, "cut at \(length)")
        }
        var session = PluginSession()
        #expect(try session.receive(calls).count == 4)
    }

    @Test
    func `noise is never decoded as a request`() {
        var noise = Noise(seed: 11)
        for _ in 0..<5_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &noise)).map { _ in UInt8.random(in: 0...255, using: &noise) }
            let line = String(decoding: bytes, as: UTF8.self)
            if let request = ControlRequest(line: line) { #expect(ControlRequest(line: request.line.dropLast()) == request) }
            _ = ControlReply(line: line)
        }
    }
}
