// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

extension FaultTests {
    /// A node with both daemons, and the text of its host at rest.
    final class Scene {
        let node: TestNode
        let form: Form
        let before: String
        private var number = 0
        private var isFull = false
        private let server: LeaseServer?

        init(_ form: Form) throws {
            var options = TestNode.Options(
                programs: Place.programs, machine: try #require(try MachineDescription.embedded("hgx-a100")).machine)
            options.hasFaults = true
            options.runtimeTimeout = .seconds(2)
            options.kubeletTimeout = 2000
            if form == .leased { options.injectorCapabilities = TestNode.leaseCapabilities }
            node = try TestNode(options)
            self.form = form
            server =
                form == .leased
                ? try LeaseServer(on: node, first: "192.0.2.20", last: "192.0.2.250", v6: "2001:db8:5::20,2001:db8:5::fff") : nil
            try server?.start()
            before = try node.hostText()
            try node.startInjector()
            try node.startNode()
        }

        struct Broken: Error, CustomStringConvertible {
            var description: String
        }

        /// One pod from Prepare to Unprepare, with a fault.
        ///
        /// - Parameters:
        ///   - act: the pod's actions while it has its interfaces.
        ///   - leave: processes that end with the containers, after the runtime has stopped the pod.
        /// - Returns: the number of the daemon's steps in the phase.
        func run(
            _ entry: Fault.Case, acting act: (NetworkNamespace) throws -> Void = { _ in },
            leaving leave: (NetworkNamespace) throws -> Void = { _ in }
        ) throws -> Int {
            number += 1
            isFull = entry.action == .diskFull
            let uid = "pod-\(number)"
            try node.api.add("resourceclaims/default", claim(uid))
            try node.api.add(
                "pods/default",
                Pod(
                    metadata: Metadata(name: uid, namespace: "default", uid: uid),
                    spec: PodSpec(resourceClaims: [PodResourceClaim(name: "nic", resourceClaimName: uid)])))
            let pod = try node.makePod(uid, uid: uid)
            // The wire has no other hosts: a client can use its address at once.
            try node.namespace(of: pod).run { () throws(SystemError) in try Files.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0") }
            var steps = 0
            func phase(_ phase: Phase, _ body: () throws -> Void) throws {
                let isMeant = phase == entry.phase
                if isMeant {
                    try Fault.arm(node, entry)
                    try Fault.damage(node, entry, uid)
                }
                try body()
                if isMeant { steps = try node.faults(entry.daemon.rawValue).disarm() }
                try revive()
            }
            try phase(.prepare) {
                try retry("Prepare") { _ = try node.kubelet?.prepare(namespace: "default", name: uid, uid: "uid-\(uid)") }
            }
            try phase(.attach) {
                event { try node.runtime?.run(pod) }
                try startContainer(pod, uid)
            }
            try act(node.namespace(of: pod))
            try phase(.detach) { event { try node.runtime?.stop(pod) } }
            try leave(node.namespace(of: pod))
            try phase(.unprepare) {
                try retry("Unprepare") { try node.kubelet?.unprepare(namespace: "default", name: uid, uid: "uid-\(uid)") }
            }
            node.removePod(pod)
            let changes = try node.changes(since: before)
            if !changes.isEmpty { throw Broken(description: "the host has changed:\n\(changes)") }
            node.api.recover()
            Fault.removeDamage(node)
            for folder in ["cdi", "journal/plans", "states/states", "states/leases"] {
                // A temporary file of a killed program is overwritten later.
                let left = Files.list(node.scratch(folder)).filter { !$0.hasPrefix(".") }
                if !left.isEmpty { throw Broken(description: "\(folder) still has \(left)") }
            }
            guard eventually({ clients().isEmpty }) else { throw Broken(description: "DHCP clients still run: \(clients())") }
            return steps
        }

        private func clients() -> [Int32] { children(of: node.injectorDaemon?.identifier ?? 0) }

        private func children(of process: Int32) -> [Int32] {
            Files.list("/proc/\(process)/task").flatMap { thread in
                ((try? Files.readText("/proc/\(process)/task/\(thread)/children")) ?? "").split(separator: " ").compactMap { Int32($0) }
            }
        }

        /// The program and its children, because a step can be a DHCP client's.
        private func goOn(_ process: Int32) {
            kill(process, SIGCONT)
            for child in children(of: process) { goOn(child) }
        }

        /// The number of open files and sockets of each daemon, without connections to the API server: a pool keeps those for a minute,
        /// in the number of overlapping calls.
        func openDescriptors() -> [Int] {
            [node.nodeDaemon, node.injectorDaemon].map { daemon in
                let (all, connections) = descriptors(daemon?.identifier ?? 0)
                return all - connections
            }
        }

        func openConnections() -> Int { descriptors(node.nodeDaemon?.identifier ?? 0).connections }

        /// All descriptors of a process, and its TCP connections (proc_pid_net(5): state and inode are fields 3 and 9).
        private func descriptors(_ process: Int32) -> (all: Int, connections: Int) {
            let lines = ((try? Files.readText("/proc/\(process)/net/tcp")) ?? "").split(separator: "\n").map { $0.split(separator: " ") }
            let sockets = Set(lines.filter { $0.count > 9 && $0[3] != "0A" }.map { "socket:[\($0[9])]" })
            let names = Files.list("/proc/\(process)/fd")
            return (names.count, names.count { Files.linkTarget("/proc/\(process)/fd/\($0)").map(sockets.contains) == true })
        }

        /// The kubelet retries until the call succeeds.
        private func retry(_ what: String, _ body: () throws -> Void) throws {
            var last: (any Error)?
            for attempt in 0..<20 {
                if attempt == 5 { try makeRoom() }
                do { return try body() } catch { last = error }
                // A plan with a permanent error would be refused forever.
                usleep(50_000)
                try revive()
            }
            throw Broken(description: "\(what) does not come to an end: \(last.map { "\($0)" } ?? "")")
        }

        /// A disk does not stay full forever; until then no call has to succeed.
        private func makeRoom() throws {
            guard isFull else { return }
            for daemon in Daemon.allCases { _ = try node.faults(daemon.rawValue).disarm() }
        }

        /// Delivers an event like a runtime: without an answer in time it continues, and drops the plugin.
        private func event(_ body: () throws -> Void) { do { try body() } catch { node.dropRuntime() } }

        private func startContainer(_ pod: NRIPodSandbox, _ uid: String) throws {
            // A client that could not be started is restarted after a second, and its first step may be five seconds late. The daemon
            // does not wait for it, so that every attempt in between is refused at once.
            for attempt in 0..<(form == .leased ? 200 : 20) {
                if attempt == 5 { try makeRoom() }
                var isRefused = false
                if let runtime = node.runtime {
                    do { try runtime.create(NRIContainer(), in: pod) } catch {
                        // An answer is a refusal; no answer is the end of the connection.
                        isRefused = "\(error)".contains("nearside:")
                        if !isRefused { node.dropRuntime() }
                    }
                }
                if !isRefused, form != .pod {
                    try revive()
                    isRefused = try !gate(pod, uid)
                }
                if !isRefused {
                    if try hasInterfaces(pod) { return }
                    if form != .pod || node.runtime != nil { throw Broken(description: "a container runs without its devices") }
                    // No program was there to hold the pod back: it gets its devices within five seconds after the program restarts.
                    try revive()
                    guard try eventually({ try hasInterfaces(pod) }) else {
                        throw Broken(description: "a pod that started without nearside-nri was not repaired")
                    }
                    return
                }
                usleep(50_000)
                try revive()
            }
            throw Broken(description: "the container never starts")
        }

        /// The real hook, with a process in the pod's namespace instead of the container's.
        private func gate(_ pod: NRIPodSandbox, _ uid: String) throws -> Bool {
            let container = try ChildProcess("/bin/sleep", ["1000"], in: try node.namespace(of: pod))
            let command =
                "echo '{\"pid\": \(container.identifier)}' | \(node.options.programs)/nearside-gate --claim uid-\(uid) --socket \(node.scratch("states/nri.sock"))"
            return try ChildProcess.run("/bin/sh", ["-c", command], in: node.host).status == 0
        }

        private func hasInterfaces(_ pod: NRIPodSandbox) throws -> Bool {
            let text = try ChildProcess.run("/sbin/ip", ["-brief", "address"], in: try node.namespace(of: pod)).output
            let lines = text.split(separator: "\n")
            let addresses = form == .leased ? [" 192.0.2.", " 2001:db8:5::"] : [" 10.77."]
            return ["net0", "net1"].allSatisfy { name in
                lines.contains { line in line.hasPrefix(name) && addresses.allSatisfy { line.contains($0) } }
            }
        }

        /// Restarts programs that have exited, and resumes stopped ones.
        private func revive() throws {
            for daemon in [node.injectorDaemon, node.nodeDaemon] { if let daemon, daemon.isRunning { goOn(daemon.identifier) } }
            // A daemon that ends closes its connections before its process has ended.
            if node.runtime == nil { _ = eventually(seconds: 0.1) { node.injectorDaemon?.isRunning != true } }
            if node.injectorDaemon?.isRunning != true {
                node.dropRuntime()
                try start(node.startInjector, unless: node.injectorDaemon)
            } else if node.runtime == nil {
                try node.connectRuntime()
            }
            if node.nodeDaemon?.isRunning != true { try start({ try node.startNode() }, unless: node.nodeDaemon) }
        }

        /// Starts a daemon. An armed fault can occur during the start.
        private func start(_ body: () throws -> Void, unless daemon: @autoclosure () -> ChildProcess?) throws {
            do { try body() } catch {
                guard daemon()?.isRunning != true else { throw error }
                try body()
            }
        }

        private func claim(_ pod: String) -> ResourceClaim {
            let driver = node.options.driver
            var interface: [String: JSONValue] = ["name": .string("net")]
            if form == .leased { for name in ["dhcp", "dhcp6"] { interface[name] = .bool(true) } }
            let config = AllocationConfig(
                source: .fromClaim, opaque: OpaqueConfig(driver: driver, parameters: .object(["interface": .object(interface)])))
            return ResourceClaim(
                metadata: Metadata(name: pod, namespace: "default", uid: "uid-\(pod)"),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(
                        devices: DeviceAllocation(
                            results: FaultTests.nics.map {
                                AllocatedDevice(request: "nic", driver: driver, pool: node.options.node, device: $0)
                            },
                            config: [config])),
                    reservedFor: [ConsumerReference(resource: "pods", name: pod, uid: pod)]))
        }
    }
}
