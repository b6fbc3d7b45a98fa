// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel
import Testbed

/// The processes of a hostile tenant's pod, and hidden objects.
final class HostilePod {
    private let scratch: ScratchFolder
    private var tools: [ChildProcess] = []
    private var loop: ChildProcess?
    private var hidden: [NetworkNamespace] = []
    /// The pod's original interfaces, by number.
    private let given: [Int32: String]
    private var files = 0

    /// Built by hack/test; nil if it is missing, or the kernel is older than 6.6.
    private static let programs: String? = {
        let path = "\(Place.project)/.build/programs"
        return (try? ChildProcess.run(path, ["count", "lo"]))?.status == 0 ? path : nil
    }()

    init(_ pod: NetworkNamespace) throws {
        scratch = try ScratchFolder("tenant")
        given = Dictionary(
            try Self.links(pod).filter { !$0.isLoopback }.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
    }

    private static func links(_ namespace: NetworkNamespace) throws -> [Link] {
        try namespace.run { () throws(NetlinkError) in
            try NetlinkSocket().links()
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
    }

    private func batch(_ lines: [String]) throws -> [String] {
        files += 1
        let file = scratch("batch\(files)")
        try Files.write(file, lines.joined(separator: "\n") + "\n")
        return ["-force", "-batch", file]
    }

    /// Performs the steps. Steps that the kernel refuses are skipped.
    func act(_ steps: [HostileTenant.Step], in pod: NetworkNamespace) throws {
        for step in steps {
            switch step {
            case .ip(let lines): _ = try ChildProcess.run("/sbin/ip", try batch(lines), in: pod)
            case .tc(let lines): _ = try ChildProcess.run("/sbin/tc", try batch(lines), in: pod)
            case .ethtool(let arguments): _ = try ChildProcess.run("/sbin/ethtool", arguments, in: pod)
            case .settings(let settings):
                try pod.run { () throws(SystemError) in
                    for (path, value) in settings { try? Files.overwrite("/proc/sys/net/\(path)", value) }
                }
            case .programs(let command, let name):
                guard let programs = Self.programs else { continue }
                let tool = try ChildProcess(programs, [command, name], in: pod, output: scratch("tool\(tools.count)"))
                let output = scratch("tool\(tools.count)")
                _ = eventually(seconds: 1) { !tool.isRunning || ((try? Files.readText(output)) ?? "").isEmpty == false }
                tools.append(tool)
            case .hide(let name):
                let namespace = try NetworkNamespace.make()
                let place = try ChildProcess("/bin/sleep", ["1000"], in: namespace)
                _ = try ChildProcess.run("/sbin/ip", ["link", "set", name, "netns", "\(place.identifier)"], in: pod)
                hidden.append(namespace)
            }
        }
    }

    /// Repeats actions until the pod ends.
    func keepDoing(_ lines: [String], in pod: NetworkNamespace) throws {
        let arguments = try batch(lines).joined(separator: " ")
        loop = try ChildProcess("/bin/sh", ["-c", "while :; do /sbin/ip \(arguments); done"], in: pod)
    }

    /// Ends the processes, and with them their own namespaces. The pod's original interfaces are moved back first, because the kernel
    /// would delete virtual ones, as all interfaces of this test are.
    func leave(_ pod: NetworkNamespace) throws {
        loop?.stop(SIGKILL)
        loop = nil
        let place = try ChildProcess("/bin/sleep", ["1000"], in: pod)
        for namespace in hidden {
            for link in try Self.links(namespace) where given[link.index] != nil && !link.isLoopback {
                // The interface is found only by its number, which the pod may have given to another one.
                for other in try Self.links(pod) where other.index == link.index {
                    _ = try ChildProcess.run("/sbin/ip", ["link", "delete", other.name], in: pod)
                }
                let commands = try batch([
                    "link set \(link.name) name hidden\(link.index)", "link set hidden\(link.index) netns \(place.identifier)",
                ])
                _ = try ChildProcess.run("/sbin/ip", commands, in: namespace)
            }
        }
        hidden = []
    }

    deinit {
        loop?.stop(SIGKILL)
        for tool in tools { tool.stop(SIGKILL) }
    }
}
