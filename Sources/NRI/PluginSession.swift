// SPDX-License-Identifier: Apache-2.0

package import NRIMessages
import SwiftProtobuf
package import TTRPC

/// What the runtime tells a plugin, in our words.
package enum PluginEvent: Sendable {
    /// The runtime has taken us in and says how long a call may take, in milliseconds (0: not told).
    case configure(runtime: String, version: String, requestTimeout: Int)
    /// All pods there are, and the sandboxes with a container that runs or is paused.
    case synchronize(pods: [NRIPodSandbox], running: Set<String>)
    case runPodSandbox(NRIPodSandbox)
    case stopPodSandbox(NRIPodSandbox)
    case removePodSandbox(NRIPodSandbox)
    case createContainer(NRIPodSandbox, NRIContainer)
}

/// How an event is answered.
package enum PluginAnswer: Hashable, Sendable {
    case success
    /// The runtime passes the text on.
    case failure(String)
    /// The container may be created; these run before it starts, and keep it from starting when they fail.
    case hooks([CreateRuntimeHook])
}

/// An OCI hook that is run when the container's namespaces are there and its program is not (runtime-spec, createRuntime).
package struct CreateRuntimeHook: Hashable, Sendable {
    package var path: String
    /// With the name of the program first.
    package var arguments: [String]
    /// After so long it has failed.
    package var seconds: Int

    package init(path: String, arguments: [String], seconds: Int) {
        self.path = path
        self.arguments = arguments
        self.seconds = seconds
    }
}

/// The plugin's side of NRI, without its I/O: bytes from the runtime go in, events come out, and each
/// is answered.
///
/// Both forms of pod events are understood: calls of their own (NRI 0.12) and StateChange (before).
package struct PluginSession: Sendable {
    package enum Output: Sendable {
        case send([UInt8])
        /// Has to be answered by ``answer(_:failure:)``.
        case event(PluginEvent, Token)
        /// The runtime has accepted or refused our registration.
        case registered(RPCFailure?)
    }

    /// Ties an answer to its call.
    package struct Token: Sendable {
        fileprivate var call: Call
    }

    private static let pluginService = "nri.pkg.api.v1alpha1.Plugin"
    private static let runtimeService = "nri.pkg.api.v1alpha1.Runtime"
    /// RUN, STOP and REMOVE of pod sandboxes and CREATE of containers: known to every NRI.
    private static let events: Int32 = 0x000f

    private var mux = MuxDecoder()
    private var plugin = Connection()
    private var runtime = Connection()
    private var registration: UInt32?
    private var pods: [NRIPodSandbox] = []
    private var running: Set<String> = []

    package init() {}

    /// The first message: our name and our place in the order of plugins (two digits).
    package mutating func register(name: String, index: String) throws(RPCFailure) -> [UInt8] {
        var request = NRIRegisterPluginRequest()
        request.pluginName = name
        request.pluginIdx = index
        let call = try runtime.call(service: Self.runtimeService, method: "RegisterPlugin", payload: request)
        registration = call.stream
        return Mux.frames(Mux.runtime, call.bytes)
    }

    package mutating func receive(_ bytes: some Collection<UInt8>) throws(MuxDecoder.Broken) -> [Output] {
        var outputs: [Output] = []
        for part in try mux.receive(bytes) {
            if part.connection == Mux.plugin {
                for event in plugin.receive(part.bytes) { outputs += handle(event) }
            } else {
                for event in runtime.receive(part.bytes) {
                    guard case .reply(let stream, let result) = event, stream == registration else { continue }
                    if case .failure(let failure) = result {
                        outputs.append(.registered(failure))
                    } else {
                        outputs.append(.registered(nil))
                    }
                }
            }
        }
        return outputs
    }

    /// Answers an event.
    package func answer(_ token: Token, _ answer: PluginAnswer = .success) -> [UInt8] {
        let result: Connection.Result =
            switch answer {
            case .failure(let why): .failure(RPCFailure(code: RPCFailure.unknown, message: why))
            case .success: .success(success(token.call))
            case .hooks(let hooks): .success(Self.adjustment(hooks))
            }
        return Mux.frames(Mux.plugin, plugin.answer(token.call, result))
    }

    private static func adjustment(_ hooks: [CreateRuntimeHook]) -> [UInt8] {
        var response = NRICreateContainerResponse()
        response.adjust.hooks.createRuntime = hooks.map { hook in
            var message = NRIHook()
            message.path = hook.path
            message.args = hook.arguments
            message.timeout.value = Int64(hook.seconds)
            return message
        }
        return (try? response.serializedBytes()) ?? []
    }

    /// An empty message: no adjustment, no update.
    private func success(_ call: Call) -> [UInt8] {
        guard call.method == "Configure" else { return [] }
        var response = NRIConfigureResponse()
        response.events = Self.events
        return (try? response.serializedBytes()) ?? []
    }

    private mutating func handle(_ event: Connection.Event) -> [Output] {
        switch event {
        case .send(let bytes): return [.send(Mux.frames(Mux.plugin, bytes))]
        case .reply: return []
        case .call(let call):
            do {
                guard call.service == Self.pluginService else {
                    throw RPCFailure(code: RPCFailure.unimplemented, message: "no service \(call.service)")
                }
                return try decode(call)
            } catch let failure as RPCFailure {
                return [.send(Mux.frames(Mux.plugin, plugin.answer(call, .failure(failure))))]
            } catch {
                let failure = RPCFailure(
                    code: RPCFailure.invalidArgument, message: "the request of \(call.method) is malformed: \(error)")
                return [.send(Mux.frames(Mux.plugin, plugin.answer(call, .failure(failure))))]
            }
        }
    }

    /// A request without the fields that we do not know.
    private static func read<Request: SwiftProtobuf.Message>(_ call: Call) throws -> Request {
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        return try Request(serializedBytes: call.payload, options: options)
    }

    private mutating func decode(_ call: Call) throws -> [Output] {
        let token = Token(call: call)
        switch call.method {
        case "Configure":
            let request = try NRIConfigureRequest(serializedBytes: call.payload)
            return [
                .event(
                    .configure(
                        runtime: request.runtimeName, version: request.runtimeVersion,
                        requestTimeout: Int(clamping: request.requestTimeout)), token)
            ]
        case "Synchronize":
            // Environments, arguments and mounts of all containers of a node are many megabytes; none of it is kept.
            let request: NRISynchronizeRequest = try Self.read(call)
            pods += request.pods
            for container in request.containers where container.state == .containerRunning || container.state == .containerPaused {
                running.insert(container.podSandboxID)
            }
            if request.more {
                // Part of the list: the answer says only that the rest is awaited.
                var response = NRISynchronizeResponse()
                response.more = true
                let payload: [UInt8] = try response.serializedBytes()
                return [.send(Mux.frames(Mux.plugin, plugin.answer(call, .success(payload))))]
            }
            defer { (pods, running) = ([], []) }
            return [.event(.synchronize(pods: pods, running: running), token)]
        case "RunPodSandbox", "StopPodSandbox", "RemovePodSandbox":
            let pod = (try Self.read(call) as NRIPodSandboxRequest).pod
            switch call.method {
            case "RunPodSandbox": return [.event(.runPodSandbox(pod), token)]
            case "StopPodSandbox": return [.event(.stopPodSandbox(pod), token)]
            default: return [.event(.removePodSandbox(pod), token)]
            }
        case "CreateContainer":
            let request: NRICreateContainerRequest = try Self.read(call)
            return [.event(.createContainer(request.pod, request.container), token)]
        case "StateChange":
            let request: NRIStateChangeEvent = try Self.read(call)
            switch request.event {
            case .runPodSandbox: return [.event(.runPodSandbox(request.pod), token)]
            case .stopPodSandbox: return [.event(.stopPodSandbox(request.pod), token)]
            case .removePodSandbox: return [.event(.removePodSandbox(request.pod), token)]
            default: return [.send(answer(token))]
            }
        case "Shutdown":
            return [.send(answer(token))]
        default:
            throw RPCFailure(code: RPCFailure.unimplemented, message: "no method \(call.method)")
        }
    }
}

extension NRIPodSandbox {
    /// The pod's network namespace; nil for a pod in the host's network.
    package var networkNamespace: String? {
        linux.namespaces.first { $0.type == "network" && !$0.path.isEmpty }?.path
    }
}
