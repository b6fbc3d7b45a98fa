// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Hardware
import Linux
import NRIMessages
import SliceModel
import Testbed
import Testing

/// The profiles of manifests/seccomp permit exactly what the daemons need. If hack/testbed/seccomp.c is built, all other test nodes start
/// their daemons with the profiles too.
@Suite(
    .serialized,
    .enabled(if: Place.canUseNamespaces && Place.confiner != nil, "needs root, and hack/testbed/seccomp.c built as .build/seccomp"))
struct SeccompTests {
    private func filters(_ process: ChildProcess?) throws -> String {
        let status = try Files.readText("/proc/\(try #require(process).identifier)/status")
        return status.split(separator: "\n").first { $0.hasPrefix("Seccomp:") }.map { String($0.split(separator: "\t").last ?? "") } ?? ""
    }

    @Test
    func `a claim is prepared, attached and released under the seccomp profiles, and the host is restored`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        for process in [node.nodeDaemon, node.injectorDaemon] { #expect(try filters(process) == "2", "SECCOMP_MODE_FILTER") }
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `under its profile nearside-nri finds a hidden upper interface, and keeps the NIC from the next pod`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let function = try #require(node.options.machine.functions.first { $0.sliceName == TestNode.nic })
        let name = try #require(function.netdevs.first?.name)
        func ip(_ line: String, in namespace: NetworkNamespace) throws {
            let ended = try ChildProcess.run("/sbin/ip", line.split(separator: " ").map(String.init), in: namespace)
            try #require(ended.status == 0, "\(line): \(ended.output)")
        }
        // The end of a veth, on which interfaces are stacked as on hardware.
        try ip("link del \(name)", in: node.host)
        try ip("link add \(name) type veth peer name w-\(name)", in: node.host)
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let (pod, hidden) = (try node.makePod("p", uid: "pod-1"), try node.makePod("h", uid: "pod-h"))
        try node.runtime?.run(pod)
        try ip("link add link net1 name above0 type macvlan", in: try node.namespace(of: pod))
        let place = (hidden.networkNamespace ?? "").split(separator: "/").last.map(String.init) ?? ""
        try ip("link set above0 netns \(place)", in: try node.namespace(of: pod))
        try node.runtime?.stop(pod)
        let error = #expect(throws: KubeletPeer.Failure.self) { try node.unprepare("a") }
        #expect(
            error?.details.contains("an interface of another network namespace is stacked on this interface") == true,
            "\(error?.details ?? "") \(node.log("nri.log"))")
        try ip("link del above0", in: try node.namespace(of: hidden))
        try node.unprepare("a")
    }

    @Test
    func `nearside-nri denies itself mounts, other namespaces and BPF programs, and its DHCP clients everything but their sockets`() throws
    {
        func refusals(_ filter: SystemCallFilter) throws -> [String: Int32] {
            try KernelThread.run { () -> Result<[String: Int32], SystemError> in
                do throws(SystemError) { try filter.install() } catch { return .failure(error) }
                var codes: [String: Int32] = [:]
                func attempt(_ name: String, _ call: () -> Int) { codes[name] = call() == -1 ? errno : 0 }
                attempt("mount a file system") { Int(CLinux_mount_sysfs()) }
                attempt("mount in the old way") { Int(mount("none", "/no folder", "tmpfs", 0, nil)) }
                // The list may be empty.
                attempt("list BPF links") { CLinux_next_link(0) >= 0 || errno == ENOENT ? 0 : -1 }
                attempt("open a socket") { Int(socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)) }
                attempt("open a file") { Int(open("/dev/null", O_RDONLY)) }
                return .success(codes)
            }.get()
        }
        #expect(
            try refusals(.host) == [
                "mount a file system": EPERM, "mount in the old way": EPERM, "list BPF links": 0, "open a socket": 0,
                "open a file": 0,
            ])
        #expect(
            try refusals(.leaseClient) == [
                "mount a file system": EPERM, "mount in the old way": EPERM, "list BPF links": EPERM, "open a socket": EPERM,
                "open a file": EPERM,
            ])
        let node = try TestNode.hgxA100()
        try node.startInjector()
        let status = try Files.readText("/proc/\(try #require(node.injectorDaemon).identifier)/status").split(separator: "\n")
        // The container's filter, and the daemon's own.
        #expect(status.first { $0.hasPrefix("Seccomp_filters:") } == "Seccomp_filters:\t2")
    }

    @Test
    func `the gate is installed and tested under its profile`() throws {
        let scratch = try ScratchFolder()
        let confiner = try #require(Place.confiner)
        let arguments = [
            "\(Place.project)/manifests/seccomp/nearside-gate.json", "\(Place.programs)/nearside-nri", "--install-gate", scratch("gate"),
        ]
        #expect(try ChildProcess.run(confiner, arguments).status == 0)
        #expect(Files.list(scratch("gate")) == ["nearside-gate"])
    }

    @Test(arguments: [
        ("nearside-nri", ["/bin/mount", "-t", "tmpfs", "none", "/mnt"]), ("nearside-nri", ["/usr/bin/unshare", "-m", "true"]),
        ("nearside-nri", ["/usr/bin/nsenter", "-u/proc/self/ns/uts", "true"]), ("nearside-node", ["/usr/bin/unshare", "-Ur", "true"]),
        ("nearside-node", ["/usr/bin/nsenter", "-n/proc/self/ns/net", "true"]), ("nearside-gate", ["/sbin/ip", "link"]),
    ])
    func `calls that no daemon needs are denied to root too`(profile: String, command: [String]) throws {
        let confiner = try #require(Place.confiner)
        #expect(try ChildProcess.run(command[0], Array(command.dropFirst())).status == 0 || command[0] == "/bin/mount")
        #expect(try ChildProcess.run(confiner, ["\(Place.project)/manifests/seccomp/\(profile).json"] + command).status != 0)
    }
}
