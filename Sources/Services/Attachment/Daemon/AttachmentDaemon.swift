// SPDX-License-Identifier: Apache-2.0

import CDI
import ControlProtocol
import Glibc
import Journal
import JournalModel
import Linux
package import Logging
import Netlink
import PodNetwork

/// `nearside-nri`: one thread that serves the runtime, `nearside-node` and gates, and restores devices of ended pods.
///
/// It handles one event at a time: the runtime serialises its calls, and the kernel serialises moves of interfaces (rtnl_lock).
package final class AttachmentDaemon {
    private let options: DaemonOptions
    private let log: Logger
    private let journal: JournalFolder
    private let service: AttachmentService
    private let gate: GateHook?
    private let specs: SpecPublisher
    private let termination: Descriptor
    private let lock: Descriptor

    /// The delay between attempts to lock the journal.
    private static let lockDelay = Duration.milliseconds(200)
    /// The time-out of a request to `nearside-node`. Other requests and the runtime wait until then.
    private static let lookUpTimeout = Duration.milliseconds(1200)

    /// Opens the journal and the host's network. The calling thread must be in the host's network namespace.
    package init(_ options: DaemonOptions, log: Logger) throws {
        self.options = options
        self.log = log
        termination = try Termination.descriptor()
        journal = JournalFolder(options.journal, states: options.states, for: .injector)
        try journal.make()
        let (host, node, socket) = (options.host, journal.nodeSocket, journal.socket)
        let network = try PodNetwork(
            sysfs: host.sysfs, sysctls: host.sysctls, nodeAddresses: host.nodeAddresses, apiServers: host.apiServers)
        service = AttachmentService(journal, network: network, leases: options.leases, log: log) { sandbox in
            Self.lookUp(sandbox, node)
        }
        gate = options.runtime.gate.map { GateHook(path: $0, socket: socket, timeout: GateTiming.standard.hook) }
        specs = SpecPublisher(
            SpecPlanner(driver: options.specifications.driver, gate: gate, workloads: journal.workloadCopies),
            check: DeviceNodeCheck(root: host.root), folder: SpecFolder(options.specifications.folder), source: journal.workloads)
        lock = try Descriptor.open(journal.lock, flags: O_RDWR | O_CREAT, mode: 0o600)
    }

    /// Serves until SIGTERM. During a rolling update two instances run; the new one waits for the old one's end. Pods keep their devices,
    /// and the next instance resumes from the journal.
    package func run() throws {
        // Releases that had one folder for both daemons lock another file.
        let oldLock = try journal.oldLock.map { path throws(SystemError) in try Descriptor.open(path, flags: 0) }
        defer { withExtendedLifetime(oldLock) {} }
        guard try waitForLock(oldLock) else { return }
        try takeOver()
        let listener = try UnixSocket.listen(journal.socket)
        defer { try? Files.remove(journal.socket) }
        log.notice(
            "serving",
            metadata: [
                "journal": "\(options.journal)", "states": "\(options.states)",
                "runtime": "\(options.runtime.socket ?? "none: only the gate holds containers back")",
            ])
        try EventLoop(sources(listener), termination: termination).run()
        log.notice("stopping; running pods keep their devices")
    }

    /// - Returns: false if this instance is terminated before the other one ends.
    private func waitForLock(_ oldLock: Descriptor?) throws -> Bool {
        var isWaiting = false
        while try !lock.tryLock() || oldLock?.tryLock() == false {
            if !isWaiting { log.notice("another nearside-nri serves this journal; waiting for it to end") }
            isWaiting = true
            if try !Poller.readable([termination], until: .after(Self.lockDelay)).isEmpty { return false }
        }
        return true
    }

    /// Converts files and restores specifications of earlier instances.
    private func takeOver() throws {
        let (count, errors) = try journal.takeOver()
        for error in errors { log.error("converting a file of an older release failed", metadata: ["error": "\(error)"]) }
        if count > 0 { log.notice("files of an older release converted", metadata: ["count": "\(count)"]) }
        service.resume()
        let unreadable = service.journal.lostClaims.union(journal.planUIDs())
        for failure in specs.restore(service.journal.plans, unreadable: unreadable) {
            log.error("restoring a CDI specification failed", metadata: ["error": "\(failure)"])
        }
    }

    /// The sources of events, in the order of their turns: the runtime first, because its calls have a deadline.
    private func sources(_ listener: Descriptor) throws -> [any EventSource] {
        let plugin = RuntimeClient.Plugin(name: options.runtime.pluginName, index: options.runtime.pluginIndex)
        let runtime = options.runtime.socket.map { RuntimeClient($0, plugin: plugin, gate: gate, service: service, log: log) }
        var sources: [any EventSource] = runtime.map { [$0] } ?? []
        sources.append(RestoreRetry(service.detacher, log: log))
        sources.append(service.leases)
        sources.append(service.latePods)
        sources.append(RequestServer(listener, service: service, specs: specs, runtime: runtime, log: log))
        if !options.functionRules.isEmpty {
            let keeper = FunctionKeeper(options.functionRules, sysfs: options.host.sysfs, log: log)
            sources.append(FunctionSource(keeper, events: try .devices(), service: service))
        }
        return sources
    }

    private static func lookUp(_ sandbox: Sandbox, _ socket: String) -> String? {
        guard let pod = sandbox.podName else { return "the runtime gives it no name" }
        do throws(ControlUnreachable) {
            let request = NodeRequest.pod(namespace: pod.namespace, name: pod.name, uid: sandbox.podUID)
            switch try ControlClient.ask(request, socket: socket, timeout: lookUpTimeout) {
            case .ok, .supports: return nil
            case .refused(let reason): return reason
            }
        } catch { return "\(error)" }
    }
}
