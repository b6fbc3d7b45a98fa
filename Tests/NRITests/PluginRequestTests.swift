// SPDX-License-Identifier: Apache-2.0

import NRI
import NRIMessages
import SwiftProtobuf
import Testbed
import Testing

extension Connection {
    /// A call with a message encoded by protoc's code.
    mutating func call(
        service: String, method: String, payload: some Message, timeout: Int64 = 0
    ) throws -> (stream: UInt32, bytes: [UInt8]) {
        call(service: service, method: method, payload: try payload.serializedBytes(), timeout: timeout)
    }
}

extension PodSandbox {
    /// The kept parts of a pod, decoded by protoc's code.
    init(_ pod: NRIPodSandbox) {
        self.init()
        (id, name, uid, namespace) = (pod.id, pod.name, pod.uid, pod.namespace)
        networkNamespace = pod.linux.namespaces.first { $0.type == "network" && !$0.path.isEmpty }?.path
        configSource = pod.annotations["kubernetes.io/config.source"]
    }
}

/// Requests decoded by the session, compared with protoc's code for the same definitions.
struct PluginRequestTests {
    enum Heard: Equatable {
        case configured(String, String, Duration)
        case pods([PodSandbox], Set<String>)
        case partOfPods
        case pod(Int, PodSandbox)
        case container(PodSandbox, String)
        case nothing
        case refused(Int32, String)
    }

    private struct Runtime {
        var session = PluginSession()
        var client = Connection()

        mutating func hear(_ method: String, _ payload: [UInt8]) throws -> Heard {
            let call = client.call(service: "nri.pkg.api.v1alpha1.Plugin", method: method, payload: payload)
            let outputs = try session.receive(Mux.frames(Mux.plugin, call.bytes))
            switch try #require(outputs.first) {
            case .event(.configure(let name, let version, let timeout), _): return .configured(name, version, timeout)
            case .event(.synchronize(let pods, let running), _): return .pods(pods, running)
            case .event(.runPodSandbox(let pod), _): return .pod(1, pod)
            case .event(.stopPodSandbox(let pod), _): return .pod(2, pod)
            case .event(.removePodSandbox(let pod), _): return .pod(3, pod)
            case .event(.createContainer(let pod, let container), _): return .container(pod, container)
            case .registered: return .nothing
            case .send(let bytes):
                var mux = MuxDecoder()
                for part in try mux.receive(bytes) {
                    for case .reply(call.stream, let result) in client.receive(part.bytes) {
                        switch result {
                        case .success(let payload): return payload.isEmpty ? .nothing : .partOfPods
                        case .failure(let failure): return .refused(failure.code, failure.message)
                        }
                    }
                }
                return .nothing
            }
        }
    }

    /// Returns the expected event; throws for a payload that protoc's code refuses.
    private static func expected(_ method: String, _ payload: [UInt8]) throws -> Heard {
        switch method {
        case "Configure":
            let request = try NRIConfigureRequest(serializedBytes: payload)
            return .configured(request.runtimeName, request.runtimeVersion, .milliseconds(request.requestTimeout))
        case "Synchronize":
            let request = try NRISynchronizeRequest(serializedBytes: payload)
            let running = request.containers.filter { $0.state == .containerRunning || $0.state == .containerPaused }
            return request.more ? .partOfPods : .pods(request.pods.map(PodSandbox.init), Set(running.map(\.podSandboxID)))
        case "StateChange":
            let request = try NRIStateChangeEvent(serializedBytes: payload)
            return (1...3).contains(request.event.rawValue) ? .pod(request.event.rawValue, PodSandbox(request.pod)) : .nothing
        case "CreateContainer":
            let request = try NRICreateContainerRequest(serializedBytes: payload)
            return .container(PodSandbox(request.pod), request.container.name)
        default:
            let number = ["RunPodSandbox": 1, "StopPodSandbox": 2, "RemovePodSandbox": 3][method] ?? 0
            return .pod(number, PodSandbox(try NRIPodSandboxRequest(serializedBytes: payload).pod))
        }
    }

    private static func pod(_ noise: inout Noise) -> NRIPodSandbox {
        func some(_ text: String) -> String { Bool.random(using: &noise) ? text + "ü\(Int.random(in: 0...99, using: &noise))" : "" }
        var pod = NRIPodSandbox()
        (pod.id, pod.name, pod.uid, pod.namespace) = (some("id"), some("name"), some("uid"), some("namespace"))
        (pod.runtimeHandler, pod.pid, pod.ips) = (some("runc"), UInt32.random(in: 0...9, using: &noise), [some("10.0.0.1")])
        pod.labels = [some("label"): some("value")]
        pod.annotations = ["kubernetes.io/config.source": some("api"), some("other"): some("value")]
        if Bool.random(using: &noise) { pod.annotations["kubernetes.io/config.source"] = nil }
        pod.linux.cgroupParent = some("/kubepods")
        pod.linux.namespaces = (0..<Int.random(in: 0...3, using: &noise)).map { _ in
            var entry = NRILinuxNamespace()
            (entry.type, entry.path) = (["network", "ipc", ""].randomElement(using: &noise) ?? "", some("/run/netns/"))
            return entry
        }
        return pod
    }

    private static func container(_ noise: inout Noise) throws -> NRIContainer {
        var container = NRIContainer()
        container.id = "c\(Int.random(in: 0...99, using: &noise))"
        container.podSandboxID = ["", "s1", "s2"].randomElement(using: &noise) ?? ""
        container.name = "name\(Int.random(in: 0...99, using: &noise))"
        container.state = NRIContainerState(rawValue: Int.random(in: 0...6, using: &noise)) ?? .containerUnknown
        container.labels = ["a": "b"]
        // Environment and arguments are fields that the definitions lack.
        try container.merge(serializedBytes: hex("3a 03 613d62 42 03 613d62 a1 06 0102030405060708 a5 06 01020304"))
        return container
    }

    private static func message(_ method: String, _ noise: inout Noise) throws -> [UInt8] {
        switch method {
        case "Configure":
            var request = NRIConfigureRequest()
            (request.config, request.runtimeName, request.runtimeVersion) = ("x", "containerd", "v2")
            request.registrationTimeout = 5000
            request.requestTimeout = [0, -1, 2000, .max, .min].randomElement(using: &noise) ?? 0
            return try request.serializedBytes()
        case "Synchronize":
            var request = NRISynchronizeRequest()
            for _ in 0..<Int.random(in: 0...3, using: &noise) {
                request.pods.append(pod(&noise))
                request.containers.append(try container(&noise))
            }
            request.more = Int.random(in: 0...3, using: &noise) == 0
            return try request.serializedBytes()
        case "StateChange":
            var request = NRIStateChangeEvent()
            request.event = NRIEvent(rawValue: Int.random(in: 0...20, using: &noise)) ?? .unknown
            request.pod = pod(&noise)
            request.container = try container(&noise)
            return try request.serializedBytes()
        case "CreateContainer":
            var request = NRICreateContainerRequest()
            request.pod = pod(&noise)
            request.container = try container(&noise)
            return try request.serializedBytes()
        default:
            var request = NRIPodSandboxRequest()
            request.pod = pod(&noise)
            return try request.serializedBytes()
        }
    }

    private static let methods = [
        "Configure", "Synchronize", "StateChange", "CreateContainer", "RunPodSandbox", "StopPodSandbox", "RemovePodSandbox",
    ]

    @Test(arguments: methods)
    func `a request is decoded like the code of protoc does, also in two parts and with damaged bytes`(method: String) throws {
        var noise = Noise(seed: 23)
        var (equal, refused) = (0, 0)
        for round in 0..<3000 {
            var payload = try Self.message(method, &noise)
            // Two concatenated messages are merged.
            if round % 3 == 0 { payload += try Self.message(method, &noise) }
            if round % 2 == 0, !payload.isEmpty { payload = noise.spoil(payload) }
            var runtime = Runtime()
            let heard = try runtime.hear(method, payload)
            guard let expected = try? Self.expected(method, payload) else {
                refused += 1
                continue
            }
            // Groups, and the ends of map entries, which protoc's code does not check.
            if case .refused(3, let why) = heard, why.contains("has the wire type") { continue }
            #expect(heard == expected, "\(payload)")
            equal += 1
        }
        #expect(equal > 1500 && refused > 100)
    }

    @Test
    func `a request truncated within a field is refused, as by the code of protoc`() throws {
        var noise = Noise(seed: 5)
        var request = NRIPodSandboxRequest()
        request.pod = Self.pod(&noise)
        let payload: [UInt8] = try request.serializedBytes()
        for length in 1..<payload.count {
            var runtime = Runtime()
            let cut = Array(payload[..<length])
            #expect((try? NRIPodSandboxRequest(serializedBytes: cut)) == nil)
            guard case .refused(3, _) = try runtime.hear("RunPodSandbox", cut) else {
                Issue.record("taken when cut at \(length)")
                continue
            }
        }
    }

    @Test(
        arguments: [
            // Field 1 of the pod: the bytes that follow are its name, or a text in its place.
            ("0a 05 12 7f 6e 61 6d", ProtocolError.Code.truncated),
            ("0a 0c 48 ff ff ff ff ff ff ff ff ff ff 01", .longInteger),
            ("0a 0b 12 ff ff ff ff ff ff ff ff ff 01", .truncated),
            ("0a 02 02 00", .invalidNumber),
            ("0a 02 13 14", .unknownWireType),
            ("0a 02 16 00", .unknownWireType),
            ("0a 03 12 01 ff", .notUTF8),
        ])
    func `a malformed request is refused with its defect`(payload: String, code: ProtocolError.Code) throws {
        let error = #expect(throws: ProtocolError.self) { try Self.readTexts(hex(payload)) }
        #expect(error?.code == code)
        var runtime = Runtime()
        guard case .refused(3, _) = try runtime.hear("RunPodSandbox", hex(payload)) else {
            Issue.record("taken")
            return
        }
        guard case .pod(1, _) = try runtime.hear("RunPodSandbox", []) else {
            Issue.record("the connection did not go on")
            return
        }
    }

    /// Reads the texts of the messages in a message.
    private static func readTexts(_ message: [UInt8]) throws(ProtocolError) {
        var outer = ProtobufReader(message[...])
        while let field = try outer.next() {
            guard case .bytes(let bytes) = field.value else { continue }
            var inner = ProtobufReader(bytes)
            while let field = try inner.next() {
                if case .bytes(let text) = field.value { _ = try ProtobufReader.text(text) }
            }
        }
    }

    @Test
    func `a name longer than any path is refused, and so are more pods than a node can have`() throws {
        var runtime = Runtime()
        var request = NRISynchronizeRequest()
        request.pods = [NRIPodSandbox()]
        request.pods[0].name = String(repeating: "x", count: 4097)
        let long: [UInt8] = try request.serializedBytes()
        guard case .refused(3, let why) = try runtime.hear("Synchronize", long) else {
            Issue.record("taken")
            return
        }
        #expect(why.contains("4097"))
        request.pods[0].name = String(repeating: "x", count: 4096)
        request.pods = Array(repeating: request.pods[0], count: 100)
        request.more = true
        let part: [UInt8] = try request.serializedBytes()
        #expect(try runtime.hear("Synchronize", part) == .partOfPods)
        #expect(try runtime.hear("Synchronize", part) == .partOfPods)
        #expect(try runtime.hear("Synchronize", part) == .refused(8, "names and paths of the pods are longer than 1 MiB"))
        // A refused part is dropped.
        #expect(try runtime.hear("Synchronize", []) == .pods([], []))
    }
}
