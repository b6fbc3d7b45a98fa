// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Journal
import JournalModel
import Linux
import Testbed
import Testing

/// Only `nearside-nri` writes CDI specifications, and never from a forged plan.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct SpecificationTests {
    private func publish(_ node: TestNode, _ uid: String) throws -> ControlReply {
        try ControlClient.ask(.publish(claim: uid), socket: node.scratch("states/nri.sock"), timeout: .seconds(5))
    }

    private static let file = "cdi/dra.nearside-uid-a.json"

    @Test
    func `a forged plan gives containers no foreign device node, no variable and no file`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        _ = try node.prepare("a")
        let journal = JournalFolder(node.scratch("journal"), states: node.scratch("states"), for: .node)
        let honest = try #require(try journal.plan("uid-a"))
        let specification = try Files.readText(node.scratch(Self.file))
        #expect(specification.contains("/dev/infiniband/uverbs0") && specification.contains("nearside-gate"))
        let forgeries: [(inout ClaimPlan) -> Void] = [
            { $0.devices[0].access?.nodes.append(NodePlan(path: "/dev/sda", major: 8, minor: 0)) },
            { $0.devices[0].access?.nodes[0].major = 1 },
            { $0.devices[0].access?.nodes[0].path = "/dev/infiniband/uverbs1" },
            { $0.devices[0].access?.address = "0000:12:00.0" },
            { $0.containers?.environment = ["LD_PRELOAD": "/tmp/x.so"] },
            { $0.containers?.hasTopology = true },
        ]
        for (index, forge) in forgeries.enumerated() {
            var plan = honest
            forge(&plan)
            try journal.write(plan)
            guard case .refused(let why) = try publish(node, "uid-a") else {
                Issue.record("forgery \(index) was published")
                continue
            }
            #expect(why.hasPrefix("claim default/a: "), "\(why)")
            #expect(try Files.readText(node.scratch(Self.file)) == specification)
        }
        try journal.write(honest)
        #expect(try publish(node, "uid-a") == .ok)
        guard case .refused = try publish(node, "uid-none") else {
            Issue.record("a claim without a plan was published")
            return
        }
        try node.unprepare("a")
        #expect(Files.list(node.scratch("cdi")).isEmpty)
    }

    @Test
    func `probes of nearside-nri distinguish a dead, a frozen, an unconnected and a ready instance`() throws {
        let node = try TestNode.hgxA100()
        func check(_ level: String) throws -> (status: Int32, output: String) {
            try ChildProcess.run(
                "\(Place.programs)/nearside-nri",
                ["--check", level, "--journal", node.scratch("journal"), "--states", node.scratch("states")])
        }
        #expect(try check("alive").status == 1)
        try node.startInjector(nriSocket: node.scratch("missing.sock"))
        #expect(try eventually { try check("alive").output == "alive\n" })
        let waiting = try check("ready")
        #expect(waiting.status == 1 && waiting.output.hasPrefix("not ready: nearside-nri is not synchronised"), "\(waiting.output)")
        node.injectorDaemon?.signal(SIGSTOP)
        let frozen = try check("alive")
        #expect(frozen.status == 1 && frozen.output.hasPrefix("not alive: nearside-nri does not answer"), "\(frozen.output)")
        node.injectorDaemon?.signal(SIGCONT)
        node.kill(injector: SIGTERM)
        try node.startInjector()
        #expect(try check("ready").output == "ready\n")
    }

    @Test(arguments: [SIGKILL, SIGTERM])
    func `the next nearside-nri restores an emptied folder of specifications`(signal: Int32) throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        _ = try node.prepare("a")
        let specification = try Files.readText(node.scratch(Self.file))
        node.kill(injector: signal)
        try Files.remove(node.scratch(Self.file))
        try Files.write(node.scratch("cdi/dra.nearside-uid-gone.json"), "{}")
        try node.startInjector()
        #expect(try Files.readText(node.scratch(Self.file)) == specification)
        #expect(Files.list(node.scratch("cdi")) == ["dra.nearside-uid-a.json"])
        try node.unprepare("a")
    }
}
