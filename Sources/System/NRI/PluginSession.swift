// SPDX-License-Identifier: Apache-2.0

/// An event from the runtime.
package enum PluginEvent: Sendable {
    /// The runtime has accepted the plugin. The time-out of a call is zero if unknown.
    case configure(runtime: String, version: String, requestTimeout: Duration)
    /// All pods, and the sandboxes with a running or paused container.
    case synchronize(pods: [PodSandbox], running: Set<String>)
    case runPodSandbox(PodSandbox)
    case stopPodSandbox(PodSandbox)
    case removePodSandbox(PodSandbox)
    case createContainer(PodSandbox, container: String)
}

/// The answer to an event.
package enum PluginAnswer: Hashable, Sendable {
    case success
    /// The runtime passes the text on.
    case failure(String)
    /// The container may be created. The hooks run before it starts, and prevent its start if they fail.
    case hooks([CreateRuntimeHook])
}

/// An OCI hook that runs after the creation of the container's namespaces and before its program (runtime-spec, createRuntime).
package struct CreateRuntimeHook: Hashable, Sendable {
    package var path: String
    /// The arguments, beginning with the program's name.
    package var arguments: [String]
    /// The time-out in seconds, after which the runtime kills the hook.
    package var timeout: Duration

    package init(path: String, arguments: [String], timeout: Duration) {
        self.path = path
        self.arguments = arguments
        self.timeout = timeout
    }
}

/// The plugin's side of NRI without I/O: bytes from the runtime are inputs, events are outputs, and each event
/// has to be answered.
///
/// Supports both forms of pod events: separate calls (NRI 0.12), and StateChange (before).
package struct PluginSession: Sendable {
    /// The result of received bytes.
    package enum Output: Sendable {
        case send([UInt8])
        /// An event to be answered by ``answer(_:failure:)``.
        case event(PluginEvent, Token)
        /// The runtime has accepted or refused the registration.
        case registered(RPCFailure?)
    }

    /// Identifies the call of an event.
    package struct Token: Sendable {
        fileprivate var stream: UInt32
        fileprivate var method: String
    }

    private static let pluginService = "nri.pkg.api.v1alpha1.Plugin"
    private static let runtimeService = "nri.pkg.api.v1alpha1.Runtime"
    /// RUN, STOP and REMOVE of pod sandboxes, and CREATE of containers, which all versions of NRI support.
    private static let events: Int64 = 0x000f

    private var mux = MuxDecoder()
    private var plugin = Connection()
    private var runtime = Connection()
    private var registration: UInt32?
    /// The received parts of an incomplete list.
    private var synchronization = SynchronizeRequest()

    /// The limit of names, paths and UIDs in bytes, above what the pods of a node need.
    private static let synchronizationLimit = 1 << 20

    package init() {}

    /// The first message: the plugin's name and its position (two digits).
    package mutating func register(name: String, index: String) -> [UInt8] {
        var request = ProtobufWriter()
        request.text(1, name)
        request.text(2, index)
        let call = runtime.call(service: Self.runtimeService, method: "RegisterPlugin", payload: request.bytes)
        registration = call.stream
        return Mux.frames(Mux.runtime, call.bytes)
    }

    /// Receives bytes from the runtime.
    package mutating func receive(_ bytes: some Collection<UInt8>) throws(ProtocolError) -> [Output] {
        var outputs: [Output] = []
        for part in try mux.receive(bytes) {
            if part.connection == Mux.plugin {
                for event in plugin.receive(part.bytes) { if let output = handle(event) { outputs.append(output) } }
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
            case .success: .success(token.method == "Configure" ? Self.subscription : [])
            case .hooks(let hooks): .success(Self.adjustment(hooks))
            }
        return Mux.frames(Mux.plugin, plugin.answer(token.stream, result))
    }

    /// CreateContainerResponse: adjust 1, hooks 5, create_runtime 2.
    private static func adjustment(_ hooks: [CreateRuntimeHook]) -> [UInt8] {
        var list = ProtobufWriter()
        for hook in hooks {
            var message = ProtobufWriter()
            message.text(1, hook.path)
            for argument in hook.arguments { message.element(2, Array(argument.utf8)) }
            var seconds = ProtobufWriter()
            seconds.integer(1, hook.timeout.components.seconds)
            message.element(4, seconds.bytes)
            list.element(2, message.bytes)
        }
        var adjustment = ProtobufWriter()
        adjustment.element(5, list.bytes)
        var response = ProtobufWriter()
        response.element(1, adjustment.bytes)
        return response.bytes
    }

    /// ConfigureResponse. All other answers without an adjustment are empty.
    private static let subscription: [UInt8] = {
        var response = ProtobufWriter()
        response.integer(2, events)
        return response.bytes
    }()

    /// SynchronizeResponse, which requests the rest of the list.
    private static let more: [UInt8] = {
        var response = ProtobufWriter()
        response.integer(2, 1)
        return response.bytes
    }()

    private mutating func handle(_ event: Connection.Event) -> Output? {
        switch event {
        case .send(let bytes): return .send(Mux.frames(Mux.plugin, bytes))
        case .reply: return nil
        case .call(let call):
            do throws(ProtocolError) { return try decode(call) } catch {
                return refuse(call, RPCFailure.invalidArgument, "the request of \(call.method) is malformed: \(error)")
            }
        }
    }

    private mutating func decode(_ call: Call) throws(ProtocolError) -> Output {
        guard call.service == Self.pluginService else { return refuse(call, RPCFailure.unimplemented, "no service \(call.service)") }
        let token = Token(stream: call.stream, method: call.method)
        switch call.method {
        case "Configure":
            let request = try ConfigureRequest(call.payload)
            let timeout = Duration.milliseconds(request.requestTimeout)
            return .event(.configure(runtime: request.runtimeName, version: request.runtimeVersion, requestTimeout: timeout), token)
        case "Synchronize":
            let part = try SynchronizeRequest(call.payload)
            synchronization.pods += part.pods
            synchronization.running.formUnion(part.running)
            let (whole, isTooLong) = (synchronization, synchronization.size > Self.synchronizationLimit)
            if part.more, !isTooLong { return .send(Mux.frames(Mux.plugin, plugin.answer(call.stream, .success(Self.more)))) }
            synchronization = SynchronizeRequest()
            if isTooLong { return refuse(call, RPCFailure.resourceExhausted, "names and paths of the pods are longer than 1 MiB") }
            return .event(.synchronize(pods: whole.pods, running: whole.running), token)
        case "RunPodSandbox": return .event(.runPodSandbox(try PodSandboxRequest(call.payload).pod), token)
        case "StopPodSandbox": return .event(.stopPodSandbox(try PodSandboxRequest(call.payload).pod), token)
        case "RemovePodSandbox": return .event(.removePodSandbox(try PodSandboxRequest(call.payload).pod), token)
        case "CreateContainer":
            let request = try PodSandboxRequest(call.payload)
            return .event(.createContainer(request.pod, container: request.container.name), token)
        case "StateChange":
            let request = try StateChangeEvent(call.payload)
            switch request.event {
            case 1: return .event(.runPodSandbox(request.pod), token)
            case 2: return .event(.stopPodSandbox(request.pod), token)
            case 3: return .event(.removePodSandbox(request.pod), token)
            default: return .send(answer(token))
            }
        case "Shutdown": return .send(answer(token))
        default: return refuse(call, RPCFailure.unimplemented, "no method \(call.method)")
        }
    }

    private func refuse(_ call: Call, _ code: Int32, _ message: String) -> Output {
        .send(Mux.frames(Mux.plugin, plugin.answer(call.stream, .failure(RPCFailure(code: code, message: message)))))
    }
}
