// SPDX-License-Identifier: Apache-2.0

import CDI
import JournalModel
import Linux
import Logging
import NRI
import Primitives

/// The plugin's side of NRI: connects to the container runtime, reconnects, and answers its calls.
///
/// ## Concurrency model
/// Used by one thread.
final class RuntimeClient: EventSource {
    /// The plugin as it registers with the runtime.
    struct Plugin {
        var name: String
        /// The position among the runtime's plugins: two digits.
        var index: String
    }

    /// Path of the runtime's NRI socket.
    let path: String
    private let plugin: Plugin
    /// Holds containers whose claims wait for a lease; nil to refuse them.
    private let gate: GateHook?
    private let service: AttachmentService
    private let log: Logger
    private var connection: RuntimeConnection?
    /// Announces the runtime's socket while it is missing.
    private var arrivals: FolderChanges?
    /// Number of attempts since the last success, or since an event of the runtime's socket.
    private var attempt = 0
    private var nextAttempt = Deadline.now

    private static let backoff = Backoff(first: .milliseconds(100), longest: .seconds(2))

    init(_ path: String, plugin: Plugin, gate: GateHook?, service: AttachmentService, log: Logger) {
        (self.path, self.plugin, self.gate) = (path, plugin, gate)
        (self.service, self.log) = (service, log)
    }

    /// True from the runtime's complete list of sandboxes until the connection ends.
    var isSynchronized: Bool { connection?.isSynchronized == true }

    // MARK: Events

    var descriptors: [Descriptor] { [connection?.socket, arrivals?.descriptor].compactMap(\.self) }
    var deadline: Deadline? { connection == nil ? nextAttempt : nil }

    func handle(_ ready: ReadyDescriptors) {
        if let connection, ready.contains(connection.socket) { serve(connection) }
        if let arrivals, ready.contains(arrivals.descriptor) { noteArrivals(arrivals) }
        if connection == nil, nextAttempt.hasPassed { connect() }
    }

    // MARK: Connection

    private func connect() {
        do {
            connection = try RuntimeConnection(path, name: plugin.name, index: plugin.index)
            arrivals = nil
        } catch {
            if attempt == 0, arrivals == nil { log.warning("waiting for the runtime", metadata: ["error": "\(error)"]) }
            // The folder may be created after the first attempt; until then only the delay leads to the next one.
            if arrivals == nil { arrivals = try? FolderChanges(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".") }
            backOff()
        }
    }

    /// Connects at once after a change of the runtime's socket. A pod that starts without the plugin would wait, or get its devices late.
    private func noteArrivals(_ changes: FolderChanges) {
        do throws(SystemError) {
            _ = try changes.next()
            attempt = 0
            nextAttempt = .now
        } catch { arrivals = nil }
    }

    private func backOff() {
        nextAttempt = .after(Self.backoff.delay(attempt: attempt))
        attempt += 1
    }

    // MARK: Calls

    private func serve(_ connection: RuntimeConnection) {
        do {
            for output in try connection.receive() { try handle(output, connection) }
        } catch {
            log.warning("connection to the runtime ended", metadata: ["error": "\(error)"])
            self.connection = nil
            service.disconnect()
            backOff()
        }
    }

    private func handle(_ output: PluginSession.Output, _ connection: RuntimeConnection) throws {
        switch output {
        case .send(let bytes): try connection.send(bytes)
        case .registered(let failure):
            if let failure { throw failure }
        case .event(let event, let token):
            try connection.send(connection.session.answer(token, answer(event, connection)))
            if case .synchronize = event {
                connection.isSynchronized = true
                attempt = 0
                log.notice("synchronised with the runtime")
            }
        }
    }

    private func answer(_ event: PluginEvent, _ connection: RuntimeConnection) -> PluginAnswer {
        switch event {
        case .configure(let name, let version, let timeout):
            if timeout > .zero { connection.setRequestTimeout(timeout) }
            log.info("configured", metadata: ["runtime": "\(name) \(version)", "timeout": "\(connection.requestTimeout)"])
        case .synchronize(let pods, let running):
            service.synchronize(pods.map(Sandbox.init), running: running, deadline: connection.deadline)
        case .runPodSandbox(let pod):
            service.admission.run(Sandbox(pod), deadline: connection.deadline)
        case .stopPodSandbox(let pod), .removePodSandbox(let pod):
            service.stop(Sandbox(pod))
        case .createContainer(let pod, let container):
            do throws(AttachmentError) { return try answer(try service.admission.admit(Sandbox(pod))) } catch {
                log.error("container refused", metadata: ["container": "\(container)", "code": "\(error.code)", "error": "\(error)"])
                return .failure("nearside: \(error)")
            }
        }
        return .success
    }

    /// Lets the container's gate wait for the lease, so that the runtime can serve other pods. Without a gate the container is refused,
    /// and the kubelet retries.
    private func answer(_ awaited: [AwaitedClaim]) throws(AttachmentError) -> PluginAnswer {
        guard let first = awaited.first else { return .success }
        guard let gate else { throw first.error }
        return .hooks(
            awaited.map {
                CreateRuntimeHook(path: gate.path, arguments: gate.arguments(claim: $0.claim.uid), timeout: gate.timeout)
            })
    }
}
