// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import NetworkModel
import PodNetwork
import Testbed
import Testing

extension PodNetworkTests {
    /// A host with interfaces that have many settings, and a pod.
    struct Scene {
        let host: NetworkNamespace
        let pod: NetworkNamespace

        init(links: Int = 2) throws {
            host = try NetworkNamespace.make()
            pod = try NetworkNamespace.make()
            try host.run { () throws(SystemError) in
                for scope in ["all", "default"] { try Files.write("/proc/sys/net/ipv6/conf/\(scope)/accept_dad", "0") }
            }
            try ip("link", "set", "lo", "up")
            try ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
            try ip("link", "set", "wire0", "up")
            try ip("link", "set", "wire1", "up")
            for index in 0..<links {
                let name = "nic\(index)"
                try ip("link", "add", "link", "wire0", "name", name, "type", "macvlan", "mode", "bridge")
                try ip("link", "set", name, "alias", "port \(index)", "mtu", "1480")
                try ip("link", "property", "add", "dev", name, "altname", "enp\(index)s0np0")
                try ip("address", "add", "10.9.\(index).1/24", "broadcast", "10.9.\(index).255", "dev", name)
                try ip("address", "add", "10.9.\(index).2/24", "dev", name, "valid_lft", "5000", "preferred_lft", "4000")
                try ip("link", "set", name, "txqueuelen", "\(500 + index)")
                try sysctl("ipv4/conf/\(name)/rp_filter", "2")
                try sysctl("ipv6/conf/\(name)/accept_ra", "0")
                try sysctl("ipv4/neigh/\(name)/gc_stale_time", "77")
                try sysctl("ipv6/neigh/\(name)/ucast_solicit", "9")
                try ip("link", "set", name, "up")
                try ip("-6", "address", "add", "2001:db8:\(index)::1/64", "dev", name)
                try ip("route", "add", "192.0.2.0/24", "via", "10.9.\(index).254", "dev", name, "metric", "10\(index)")
                try ip("route", "add", "198.51.100.0/24", "dev", name, "table", "77", "metric", "\(index + 5)")
                try ip("-6", "address", "add", "2001:db8:\(index)::2/64", "dev", name)
                try ip("neighbour", "add", "10.9.\(index).77", "lladdr", "02:00:00:00:00:77", "dev", name, "nud", "permanent")
                try ip("rule", "add", "from", "10.9.\(index).1", "lookup", "7\(index)", "priority", "5\(index)")
                try ip("rule", "add", "from", "10.9.0.0/16", "fwmark", "0x7", "lookup", "7\(index)", "priority", "6\(index)")
                try ip("rule", "add", "iif", name, "lookup", "7\(index)", "priority", "7\(index)")
                try ip("route", "add", "default", "via", "10.9.\(index).254", "dev", name, "table", "7\(index)")
                try ip("route", "add", "default", "via", "10.9.\(index).254", "dev", name, "metric", "90\(index)")
                try ip("-6", "route", "add", "2001:db8:ff::/48", "via", "2001:db8:\(index)::ff", "dev", name, "metric", "20\(index)")
            }
            // Some settings are the kernel's defaults, some are not.
            try tc("qdisc", "add", "dev", "nic0", "root", "handle", "1:", "tbf", "rate", "100mbit", "burst", "64k", "latency", "50ms")
            try tc("qdisc", "add", "dev", "nic0", "parent", "1:1", "handle", "10:", "pfifo", "limit", "77")
            if links > 1 {
                try tc("qdisc", "add", "dev", "nic1", "root", "pfifo", "limit", "55")
                try tc("qdisc", "add", "dev", "nic1", "clsact")
            }
        }

        func sysctl(_ path: String, _ value: String) throws {
            try host.run { () throws(SystemError) in try Files.overwrite("/proc/sys/net/\(path)", value) }
        }

        func ip(_ arguments: String...) throws { try run("/sbin/ip", arguments) }
        func tc(_ arguments: String...) throws { try run("/sbin/tc", arguments) }

        private func run(_ program: String, _ arguments: [String]) throws {
            let result = try ChildProcess.run(program, arguments, in: host)
            if result.status != 0 {
                throw SystemError("\(program) \(arguments.joined(separator: " ")): \(result.output)", "", code: result.status)
            }
        }

        /// The host's network as text at rest, without remaining lifetimes.
        func text() throws -> String { try HostText.atRest(within: 2, currentText) }

        func expectSame(as before: String, besides added: String = "", at place: SourceLocation = #_sourceLocation) throws {
            let changes = HostText.difference(before, try text().replacing(added, with: ""))
            #expect(changes.isEmpty, "\(changes)", sourceLocation: place)
        }

        private func currentText() throws -> String {
            try (HostText.network(host) + HostText.settings(host)).split(separator: "\n").map { line in
                line.contains("valid_lft") && line.contains("sec") && !line.contains("forever") ? "       valid_lft SOME" : String(line)
            }.joined(separator: "\n")
        }

        /// Runs in the host's namespace, as the daemon does.
        func onHost<Value>(_ body: @escaping (PodNetwork) throws(PodNetworkError) -> Value) throws -> Value {
            try host.run { () throws(PodNetworkError) in
                try body(PodNetwork())
            } entering: {
                PodNetworkError(.refused, "host", "enter", $0)
            }
        }

        func inPod(_ arguments: String...) throws -> String { try ChildProcess.run("/sbin/ip", arguments, in: pod).output }
    }

    static func order(_ plan: InterfacePlan, _ record: HostRecord) -> PodNetwork.AttachRequest {
        PodNetwork.AttachRequest(device: plan.hostName, plan: plan, record: record)
    }

    /// The request after a crash during an attempt, or, with a number, after the attempt.
    static func entry(_ plan: InterfacePlan, _ record: HostRecord, index: Int32? = nil) -> PodNetwork.RestoreRequest {
        var attachment = Attachment(
            phase: .moving, device: plan.hostName, podUID: "", sandbox: "", namespacePath: "", namespace: FileIdentity(device: 0, inode: 0),
            podName: plan.name, host: record)
        attachment.podIndex = index
        attachment.hardwareAddress = plan.hardwareAddress
        return PodNetwork.RestoreRequest(attachment)
    }

    static func plan(_ index: Int, name: String? = nil) -> InterfacePlan {
        InterfacePlan(hostName: "nic\(index)", name: name ?? "net\(index)")
    }
}
