// SPDX-License-Identifier: Apache-2.0

package import Linux
import NRI
package import NRIMessages
package import SwiftProtobuf

/// The container runtime's side of NRI: accepts a plugin, and calls it.
///
/// Blocks: one call at a time, because a runtime holds a lock while plugins run.
package final class RuntimePeer {
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// The form of pod events.
    package enum Dialect: Sendable {
        /// As StateChange: NRI up to 0.11.
        case stateChange
        /// Separate calls: NRI 0.12.
        case calls
    }

    private let socket: Descriptor
    private let dialect: Dialect
    private var mux = MuxDecoder()
    private var plugin = Connection()
    private var runtime = Connection()
    /// The plugin's name after its registration.
    package private(set) var pluginName = ""
    package private(set) var subscribedEvents: Int32 = 0

    private static let service = "nri.pkg.api.v1alpha1.Plugin"

    /// Waits for a plugin, then configures and synchronises it.
    ///
    /// - Parameters:
    ///   - requestTimeout: the time-out sent to the plugin, in milliseconds.
    ///   - timeout: this side's time-out for a response.
    ///   - plugin: the process of the plugin, whose end also ends the wait.
    ///   - log: the log of that process.
    package init(
        listener: Descriptor, dialect: Dialect = .stateChange, pods: [NRIPodSandbox] = [],
        containers: [NRIContainer] = [], requestTimeout: Int = 2000,
        timeout: Duration = .seconds(60), plugin process: ChildProcess? = nil, log: () -> String = { "" }
    ) throws {
        func isConnecting() throws -> Bool { try !Poller.readable([listener], until: .after(.milliseconds(5))).isEmpty }
        guard try eventually({ try isConnecting() || process?.isRunning == false }), try isConnecting() else {
            throw Failure(description: "no plugin has connected: \(log())")
        }
        socket = try UnixSocket.accept(listener)
        self.dialect = dialect
        // A real runtime waits for its time-out, and then continues without the plugin.
        try UnixSocket.setTimeout(socket, timeout)
        try awaitRegistration()
        var configure = NRIConfigureRequest()
        configure.runtimeName = "testbed"
        configure.runtimeVersion = "v1"
        configure.requestTimeout = Int64(requestTimeout)
        configure.registrationTimeout = 5000
        let configured: NRIConfigureResponse = try call("Configure", configure)
        subscribedEvents = configured.events
        var synchronize = NRISynchronizeRequest()
        synchronize.pods = pods
        synchronize.containers = containers
        let _: NRISynchronizeResponse = try call("Synchronize", synchronize)
    }

    // MARK: Events

    package func run(_ pod: NRIPodSandbox) throws { try send(.runPodSandbox, "RunPodSandbox", pod) }
    package func stop(_ pod: NRIPodSandbox) throws { try send(.stopPodSandbox, "StopPodSandbox", pod) }
    package func remove(_ pod: NRIPodSandbox) throws { try send(.removePodSandbox, "RemovePodSandbox", pod) }

    @discardableResult
    package func create(_ container: NRIContainer, in pod: NRIPodSandbox) throws -> NRICreateContainerResponse {
        var request = NRICreateContainerRequest()
        request.pod = pod
        request.container = container
        return try call("CreateContainer", request)
    }

    private func send(_ event: NRIEvent, _ method: String, _ pod: NRIPodSandbox) throws {
        switch dialect {
        case .stateChange:
            var change = NRIStateChangeEvent()
            change.event = event
            change.pod = pod
            let _: NRIEmpty = try call("StateChange", change)
        case .calls:
            var request = NRIPodSandboxRequest()
            request.pod = pod
            let _: NRIEmpty = try call(method, request)
        }
    }

    // MARK: Wire

    private func awaitRegistration() throws {
        while pluginName.isEmpty {
            for (connection, bytes) in try receive() where connection == Mux.runtime {
                for case .call(let call) in runtime.receive(bytes) {
                    guard call.method == "RegisterPlugin" else { continue }
                    pluginName = try NRIRegisterPluginRequest(serializedBytes: Array(call.payload)).pluginName
                    try UnixSocket.send(Mux.frames(Mux.runtime, runtime.answer(call.stream, .success([]))), to: socket)
                }
            }
        }
    }

    package func call<Answer: Message>(_ method: String, _ request: some Message) throws -> Answer {
        let (stream, bytes) = plugin.call(service: Self.service, method: method, payload: try request.serializedBytes())
        try UnixSocket.send(Mux.frames(Mux.plugin, bytes), to: socket)
        while true {
            for (connection, bytes) in try receive() where connection == Mux.plugin {
                for case .reply(stream, let result) in plugin.receive(bytes) {
                    switch result {
                    case .success(let payload): return try Answer(serializedBytes: payload)
                    case .failure(let failure): throw failure
                    }
                }
            }
        }
    }

    private func receive() throws -> [(connection: UInt32, bytes: [UInt8])] {
        let (bytes, _) = try UnixSocket.receive(from: socket)
        if bytes.isEmpty { throw Failure(description: "the plugin closed the connection") }
        return try mux.receive(bytes)
    }
}

extension NRIPodSandbox {
    /// A pod's sandbox as a runtime reports it.
    package static func testbed(
        id: String, uid: String, name: String, namespace: String = "default", networkNamespace: String?
    ) -> NRIPodSandbox {
        var pod = NRIPodSandbox()
        (pod.id, pod.uid, pod.name, pod.namespace) = (id, uid, name, namespace)
        if let networkNamespace {
            var entry = NRILinuxNamespace()
            entry.type = "network"
            entry.path = networkNamespace
            pod.linux.namespaces = [entry]
        }
        return pod
    }

    /// Path of the pod's network namespace; nil for a pod in the host's network.
    package var networkNamespace: String? { linux.namespaces.first { $0.type == "network" && !$0.path.isEmpty }?.path }
}
