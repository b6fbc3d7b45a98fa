// SPDX-License-Identifier: Apache-2.0

import CDI
import ControlProtocol
import Journal
import JournalModel
import Linux
package import Logging
import NRI
import Netlink
package import NetworkModel
import PodNetwork

/// `nearside-nri`: one thread that waits for the runtime, for requests and for its own end.
///
/// One thing is done at a time. The runtime serialises its calls anyway, and two moves of interfaces
/// would only wait for each other in the kernel.
package final class InjectorDaemon {
    package struct Options: Sendable {
        /// The folder of nearside-node, which is only read, and that of this program.
        package var journal: String
        package var states: String
        /// The runtime's NRI socket; nil to serve the gate alone.
        package var runtimeSocket: String?
        /// Where the files of sysctl(8) are.
        package var sysctls = "/proc/sys"
        package var leases = LeaseClientOptions()
        /// How many virtual functions physical ones are to have, and where sysfs is mounted so that they can be made.
        package var functionRules: [FunctionRule] = []
        package var sysfs = "/sys"
        package var driver = "dra.nearside"
        /// Where runtimes look for CDI specifications.
        package var cdi = "/var/run/cdi"
        /// The folder with the host's sys and proc, by which device nodes are checked.
        package var hostRoot = "/"
        /// Addresses of the node and of the API server: the interfaces that lead to them are not taken.
        package var nodeAddresses: [IPAddress] = []
        package var apiServers: [IPAddress] = []
        /// nearside-gate, where the runtime finds it; nil when it is nowhere.
        package var gate: String?
        package var pluginName: String
        /// Two digits: our place among the plugins.
        package var pluginIndex: String

        package init(journal: String, states: String, runtimeSocket: String?, pluginName: String, pluginIndex: String) {
            self.journal = journal
            self.states = states
            self.runtimeSocket = runtimeSocket
            self.pluginName = pluginName
            self.pluginIndex = pluginIndex
        }
    }

    private let options: Options
    private let log: Logger
    private let journal: JournalFolder
    private let attachments: AttachmentService
    private let specs: SpecPublisher
    private let termination: Descriptor
    private let lock: Descriptor

    private var runtime: RuntimeConnection?
    private var nextAttempt = 0
    private var pause = 0
    private var clients: [RequestClient] = []

    /// Tells when the runtime makes its socket, while it is waited for.
    private var arrivals: FolderChanges?
    /// Keeps virtual functions as wished, and hears of functions that come; nil without a wish.
    private var functions: (keeper: FunctionKeeper, events: EventSocket)?
    /// Tells of interfaces that come, while some are waited for.
    private var returns: EventSocket?

    /// When the request socket may be looked at again.
    private var nextAccept = 0

    /// Requests beyond so many at a time wait in the listener's queue.
    private static let maximalClients = 256
    private static let acceptPause = 1000
    private static let returnPause = 1000
    private static let firstPause = 100
    private static let longestPause = 2000

    /// Waits until no other instance serves the same journal: during a rolling update there are two.
    package init(_ options: Options, log: Logger) throws {
        self.options = options
        self.log = log
        termination = try Termination.descriptor()
        journal = JournalFolder(options.journal, states: options.states, for: .injector)
        try journal.make()
        let node = journal.nodeSocket
        let network = try PodNetwork(
            sysfs: options.sysfs, sysctls: options.sysctls, nodeAddresses: options.nodeAddresses, apiServers: options.apiServers)
        attachments = AttachmentService(journal, network: network, leases: options.leases, log: log) { sandbox in
            Self.lookUp(sandbox, node)
        }
        specs = SpecPublisher(
            SpecPlanner(
                driver: options.driver, gate: options.gate, socket: journal.socket, workloads: journal.workloadCopies),
            check: DeviceNodeCheck(root: options.hostRoot), folder: SpecFolder(options.cdi), source: journal.workloads)
        lock = try Descriptor.open(journal.lock, flags: 0o102, mode: 0o600)
    }

    /// Serves until SIGTERM. Pods keep their devices; the next start goes on from the journal.
    package func run() throws {
        var isWaiting = false
        var areDevicesNews = false
        // An instance of a release with one folder for both daemons holds another lock.
        let oldLock = try journal.oldLock.map { path throws(SystemError) in try Descriptor.open(path, flags: 0) }
        defer { withExtendedLifetime(oldLock) {} }
        while try !lock.tryLock() || oldLock?.tryLock() == false {
            if !isWaiting { log.notice("another nearside-nri serves this journal; waiting for it to end") }
            isWaiting = true
            if try !Poller.readable([termination], milliseconds: 200).isEmpty { return }
        }
        let (count, errors) = try journal.takeOver()
        for error in errors { log.error("a file of an older release cannot be taken over", metadata: ["error": "\(error)"]) }
        if count > 0 { log.notice("files of an older release taken over", metadata: ["count": "\(count)"]) }
        attachments.resume()
        for failure in specs.restore(
            attachments.journal.plans, unreadable: attachments.journal.lostClaims.union(journal.planUIDs()))
        {
            log.error("CDI specification cannot be restored", metadata: ["error": "\(failure)"])
        }
        if !options.functionRules.isEmpty {
            functions = (FunctionKeeper(options.functionRules, sysfs: options.sysfs, log: log), try EventSocket.devices())
        }
        let listener = try UnixSocket.listen(journal.socket)
        defer { try? Files.remove(journal.socket) }
        log.notice(
            "serving",
            metadata: [
                "journal": "\(options.journal)", "states": "\(options.states)",
                "runtime": "\(options.runtimeSocket ?? "none: containers are held back by the gate alone")",
            ])
        while true {
            connectIfDue()
            watchForReturns()
            let due = [attachments.leases.update(), attachments.latePods.retry()].compactMap(\.self).map {
                Poller.now() + $0.remaining.milliseconds
            }
            serveWaiting()
            functions?.keeper.keep(inUse: attachments.devicesInUse, isNews: areDevicesNews)
            areDevicesNews = false
            let listening = clients.count < Self.maximalClients && Poller.now() >= nextAccept ? [listener] : []
            let searches = attachments.detacher.searchDescriptors
            let waiting =
                [termination] + listening + (runtime.map { [$0.socket] } ?? []) + clients.map(\.socket) + attachments.leases.descriptors
                + searches + (returns.map { [$0.descriptor] } ?? []) + (arrivals.map { [$0.descriptor] } ?? [])
                + (functions.map { [$0.events.descriptor] + ($0.keeper.descriptor.map { [$0] } ?? []) } ?? [])
            var timeout = options.runtimeSocket != nil && runtime == nil ? max(0, nextAttempt - Poller.now()) : -1
            // RDMA devices come back without a word of rtnetlink.
            if returns != nil { timeout = timeout < 0 ? Self.returnPause : min(timeout, Self.returnPause) }
            // A listener that is not polled is looked at again after the pause, or when a client has left.
            let paused = listening.isEmpty ? [max(nextAccept, Poller.now() + Self.acceptPause)] : []
            for due in clients.compactMap(\.timeout) + due + paused {
                let left = max(0, due - Poller.now())
                timeout = timeout < 0 ? left : min(timeout, left)
            }
            let ready = Set(try Poller.readable(waiting, milliseconds: timeout).map { waiting[$0].raw })
            if ready.contains(termination.raw) { break }
            // The runtime first: it has a deadline.
            if let connection = runtime, ready.contains(connection.socket.raw) { serve(connection) }
            for client in clients where ready.contains(client.socket.raw) { serve(client) }
            clients.removeAll { $0.isFinished || $0.isStale }
            if ready.contains(listener.raw) { accept(listener) }
            if let functions, ready.contains(functions.events.descriptor.raw) { areDevicesNews = functions.events.drain { _ in true } }
            if let arrivals, ready.contains(arrivals.descriptor.raw) { hear(arrivals) }
            let isNews = returns.map { $0.drain { _ in true } || ready.isEmpty } ?? false
            if isNews || searches.contains(where: { ready.contains($0.raw) }) { attachments.detacher.retry() }
        }
        log.notice("stopping; running pods keep their devices")
    }

    // MARK: The runtime

    private func connectIfDue() {
        guard let path = options.runtimeSocket, runtime == nil, Poller.now() >= nextAttempt else { return }
        do {
            runtime = try RuntimeConnection(path, name: options.pluginName, index: options.pluginIndex)
            arrivals = nil
        } catch {
            if pause == 0, arrivals == nil { log.warning("waiting for the runtime", metadata: ["error": "\(error)"]) }
            // The folder may be made later than its socket's first try; then time alone tells.
            if arrivals == nil { arrivals = try? FolderChanges(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".") }
            backOff()
        }
    }

    /// A pod that starts while the runtime does without us has to wait, or to be repaired: we come as soon as it listens.
    private func hear(_ changes: FolderChanges) {
        do throws(SystemError) {
            _ = try changes.next()
            pause = 0
            nextAttempt = Poller.now()
        } catch { arrivals = nil }
    }

    /// Hardware comes back from a pod's namespace that is gone in the kernel's own time: it says when.
    private func watchForReturns() {
        guard attachments.detacher.isPending else {
            returns = nil
            return
        }
        guard returns == nil else { return }
        do throws(SystemError) { returns = try EventSocket.links() } catch {
            log.error("cannot watch for interfaces that come back", metadata: ["error": "\(error)"])
            return
        }
        // What came before we listened.
        attachments.detacher.retry()
    }

    private func backOff() {
        pause = min(max(pause * 2, Self.firstPause), Self.longestPause)
        nextAttempt = Poller.now() + pause
    }

    private func serve(_ connection: RuntimeConnection) {
        do {
            for output in try connection.receive() {
                switch output {
                case .send(let bytes): try connection.send(bytes)
                case .registered(let failure):
                    if let failure { throw failure }
                case .event(let event, let token):
                    try connection.send(connection.session.answer(token, handle(event, connection)))
                    if case .synchronize = event {
                        connection.isSynchronized = true
                        pause = 0
                        log.notice("synchronised with the runtime")
                    }
                }
            }
        } catch {
            log.warning("the connection to the runtime ended; connecting again", metadata: ["error": "\(error)"])
            runtime = nil
            attachments.disconnect()
            backOff()
        }
    }

    private func handle(_ event: PluginEvent, _ connection: RuntimeConnection) -> PluginAnswer {
        switch event {
        case .configure(let name, let version, let timeout):
            if timeout > 0 { connection.setRequestTimeout(timeout) }
            log.info("configured", metadata: ["runtime": "\(name) \(version)", "timeout_ms": "\(connection.requestTimeout)"])
        case .synchronize(let pods, let running):
            attachments.synchronize(pods.map(Sandbox.init), running: running, deadline: connection.deadline)
        case .runPodSandbox(let pod):
            attachments.run(Sandbox(pod), deadline: connection.deadline)
        case .stopPodSandbox(let pod), .removePodSandbox(let pod):
            attachments.stop(Sandbox(pod))
        case .createContainer(let pod, let container):
            do throws(AttachmentError) { return try answer(try attachments.admit(Sandbox(pod))) } catch {
                log.error("container held back", metadata: ["container": "\(container)", "error": "\(error)"])
                return .failure("nearside: \(error)")
            }
        }
        return .success
    }

    /// What takes its own time is waited for by the container's gate, while the runtime goes on with other pods. Without a gate the
    /// container is refused, and the kubelet tries again.
    private func answer(_ waiting: [AwaitedClaim]) throws(AttachmentError) -> PluginAnswer {
        guard let first = waiting.first else { return .success }
        guard let gate = options.gate else { throw first.error }
        return .hooks(
            waiting.map {
                CreateRuntimeHook(
                    path: gate, arguments: GateHook.arguments(claim: $0.claim.uid, socket: journal.socket), seconds: GateHook.seconds)
            })
    }

    // MARK: Requests

    private func accept(_ listener: Descriptor) {
        do throws(SystemError) {
            let client = try UnixSocket.accept(listener)
            guard UnixSocket.isRoot(client) else { return log.error("a request of somebody who is not root is not taken") }
            clients.append(RequestClient(client))
        } catch {
            // Without a free descriptor the listener stays readable: it is left alone for a while.
            nextAccept = Poller.now() + Self.acceptPause
            log.error("a request could not be taken", metadata: ["error": "\(error)"])
        }
    }

    private func serve(_ client: RequestClient) {
        guard let request = client.receive() else { return }
        switch request {
        case .failure(let error): client.answer(.refused("\(error)"))
        case .success(.status):
            guard let path = options.runtimeSocket, runtime?.isSynchronized != true else {
                return client.answer(.supports(JournalFeature.allCases.map(\.rawValue)))
            }
            client.answer(.refused("nearside-nri is not synchronised with the container runtime (\(path))"))
        case .success(.release(let claim)):
            client.claim = claim
            client.isRelease = true
            release(client, claim)
        case .success(.publish(let claim)):
            client.answer(reply { () throws(AttachmentError) in try publish(claim) })
        case .success(.admit(let claim)):
            client.claim = claim
            admit(client, claim)
        }
    }

    private func release(_ client: RequestClient, _ claim: String) {
        do throws(AttachmentError) {
            try attachments.release(claim: claim)
            // It may have been prepared again, by the time that this request is served.
            if (try? attachments.journal.preparedPlan(claim)) == nil {
                do throws(SystemError) { try specs.withdraw(claim) } catch {
                    throw AttachmentError(.specification, "claim \(claim)", step: "withdraw its CDI specification", error)
                }
            }
            client.answer(.ok)
        } catch {
            if error.isPending, client.wait(milliseconds: Self.releaseTimeout) { return }
            log.error("request refused", metadata: ["error": "\(error)"])
            client.answer(.refused("\(error)"))
        }
    }

    /// How long a release is held for what takes its own time: less than nearside-node waits.
    private static let releaseTimeout = 20_000

    private func publish(_ claim: String) throws(AttachmentError) {
        let plan = try attachments.journal.preparedPlan(claim)
        try attachments.prepare(plan)
        do throws(SpecRefusal) { try specs.publish(plan) } catch {
            throw AttachmentError(.specification, "claim \(plan.claim)", error)
        }
    }

    private func admit(_ client: RequestClient, _ claim: String) {
        do throws(AttachmentError) {
            var namespace: NetworkNamespace?
            if let descriptor = client.descriptor {
                do throws(SystemError) { namespace = try NetworkNamespace(descriptor) } catch {
                    throw AttachmentError(.noNamespace, "claim \(claim)", "the descriptor passed along is no network namespace: \(error)")
                }
            }
            guard let waiting = try attachments.admit(claim: claim, namespace: namespace) else { return client.answer(.ok) }
            guard client.wait(milliseconds: Self.gateTimeout) else { throw waiting.error }
        } catch {
            log.error("request refused", metadata: ["error": "\(error)"])
            client.answer(.refused("\(error)"))
        }
    }

    /// How long a gate is held for what takes its own time: less than its timeout, so that it can say why.
    private static let gateTimeout = 15_000

    /// Gates and releases that wait are asked about anew when something may have changed.
    private func serveWaiting() {
        for client in clients where client.timeout != nil && !client.isFinished {
            guard let claim = client.claim else { continue }
            if client.isRelease { release(client, claim) } else { admit(client, claim) }
        }
        clients.removeAll { $0.isFinished }
    }

    /// How long nearside-node may take to say which claims a pod uses: others wait meanwhile, and the runtime too.
    private static let lookUpTimeout = 1200

    private static func lookUp(_ sandbox: Sandbox, _ socket: String) -> String? {
        guard let pod = sandbox.podName else { return "the runtime gives it no name" }
        do throws(ControlUnreachable) {
            let request = NodeRequest.pod(namespace: pod.namespace, name: pod.name, uid: sandbox.podUID)
            switch try ControlClient.ask(request, socket: socket, milliseconds: lookUpTimeout) {
            case .ok, .supports: return nil
            case .refused(let why): return why
            }
        } catch { return "\(error)" }
    }

    private func reply(_ body: () throws(AttachmentError) -> Void) -> ControlReply {
        do throws(AttachmentError) {
            try body()
            return .ok
        } catch {
            log.error("request refused", metadata: ["error": "\(error)"])
            return .refused("\(error)")
        }
    }
}
