// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import NRIMessages
import Testbed
import Testing

/// The profiles of manifests/seccomp are enough for the daemons, and no more. Where hack/testbed/seccomp.c is built, all other test nodes
/// start their daemons under them too.
@Suite(
    .serialized,
    .enabled(if: Place.canUseNamespaces && Place.confiner != nil, "needs root, and hack/testbed/seccomp.c built as .build/seccomp"))
struct SeccompTests {
    private func filters(_ process: ChildProcess?) throws -> String {
        let status = try Files.readText("/proc/\(try #require(process).identifier)/status")
        return status.split(separator: "\n").first { $0.hasPrefix("Seccomp:") }.map { String($0.split(separator: "\t").last ?? "") } ?? ""
    }

    @Test
    func `under their profiles the daemons take a claim the whole way, and the host is as before`() throws {
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
        #expect(try node.interfaces(pod).contains("net1"))
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `the gate is installed and tried under its profile`() throws {
        let scratch = try ScratchFolder()
        let confiner = try #require(Place.confiner)
        let arguments = [
            "\(Place.project)/manifests/seccomp/nearside-gate.json", "\(Place.programs)/nearside-nri", "--install-gate", scratch("gate"),
        ]
        #expect(try ChildProcess.run(confiner, arguments).status == 0)
        #expect(Files.list(scratch("gate")) == ["nearside-gate"])
    }

    @Test(arguments: [
        ("nearside-nri", ["/bin/mount", "-t", "tmpfs", "none", "/mnt"]), ("nearside-node", ["/usr/bin/unshare", "-Ur", "true"]),
        ("nearside-node", ["/usr/bin/nsenter", "-n/proc/self/ns/net", "true"]), ("nearside-gate", ["/sbin/ip", "link"]),
    ])
    func `what no daemon needs is refused to root too`(profile: String, command: [String]) throws {
        let confiner = try #require(Place.confiner)
        #expect(try ChildProcess.run(command[0], Array(command.dropFirst())).status == 0 || command[0] == "/bin/mount")
        #expect(try ChildProcess.run(confiner, ["\(Place.project)/manifests/seccomp/\(profile).json"] + command).status != 0)
    }
}
