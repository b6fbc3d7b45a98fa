// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Journal
import JournalModel
import Linux
import NRIMessages
import Testbed
import Testing

/// Hostile files in nearside-node's folder of the journal, read by the real nearside-nri.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct HostilePlanTests {
    private func ask(_ node: TestNode, _ request: ControlRequest) throws -> ControlReply {
        try ControlClient.ask(request, socket: node.scratch("states/nri.sock"), timeout: .seconds(10))
    }

    @Test
    func `a plan beyond the size limit holds back containers that may use it`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        node.kill(node: SIGTERM)
        let file = node.scratch("journal/plans/uid-a.json")
        try Files.write(file, [UInt8](repeating: 0x20, count: 2 << 20))
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect { try node.runtime?.create(NRIContainer(), in: pod) } throws: {
            "\($0)".contains("the pod may use the claim with UID uid-a")
        }
        #expect(try Files.read(file, limit: 4 << 20).count == 2 << 20, "nearside-nri changes nothing in the folder of nearside-node")
    }

    @Test
    func `a plan with an MTU of -1 or a sysctl path that climbs changes nothing, and nearside-nri survives`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("a")
        try node.prepare("a")
        let file = node.scratch("journal/plans/uid-a.json")
        let honest = try Files.readText(file)
        node.kill(node: SIGTERM)
        // With an empty cache, because a plan that was read once stays cached.
        node.kill(injector: SIGTERM)
        node.dropRuntime()
        let target = node.scratch("gate")
        try Files.write(target, "untouched")
        let climb = String(repeating: "../", count: 12) + String(target.dropFirst())
        let pod = try node.makePod("one", uid: "pod-1")
        let attacks = [
            ("\"name\":\"net1\"", "\"mtu\":-1,\"name\":\"net1\""),
            ("\"rules\":[]", "\"rules\":[],\"sysctls\":{\"ipv4/conf/\(climb)\":\"owned\"}"),
        ]
        for (text, replacement) in attacks {
            #expect(honest.contains(text), "\(honest)")
            var forged = honest.replacing(text, with: replacement)
            if replacement.contains("sysctls") {
                // With the feature that the plan then uses, in sorted order.
                forged = forged.replacing("],\"version\"", with: ",\"sysctls\"],\"version\"")
            }
            try Files.write(file, forged)
            try node.startInjector()
            try? node.runtime?.run(pod)
            #expect(throws: (any Error).self) { try node.runtime?.create(NRIContainer(), in: pod) }
            #expect(try ask(node, .status).refusal == nil, "\(node.log("nri.log"))")
            #expect(node.log("nri.log").contains("violates its limits"), "\(node.log("nri.log"))")
            try node.expectUnchanged(since: before)
            node.kill(injector: SIGTERM)
            node.dropRuntime()
        }
        #expect(try Files.readText(target) == "untouched")
    }

    @Test
    func `a plan for the host's loopback changes nothing`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        try node.prepare("a")
        node.kill(node: SIGTERM)
        let before = try node.hostText()
        let journal = JournalFolder(node.scratch("journal"), states: node.scratch("states"), for: .node)
        var plan = try #require(try journal.plan("uid-a"))
        plan.devices[0].interface = InterfacePlan(hostName: "lo", name: "net1")
        try journal.write(plan)
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect { try node.runtime?.create(NRIContainer(), in: pod) } throws: {
            "\($0)".contains("the host's loopback interface cannot be claimed")
        }
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a hundred hostile plans leave nearside-nri running and the host unchanged`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("a")
        try node.prepare("a")
        let honest = try Files.readText(node.scratch("journal/plans/uid-a.json"))
        try node.unprepare("a")
        node.kill(node: SIGTERM)
        let injector = try #require(node.injectorDaemon)
        let pod = try node.makePod("one", uid: "pod-1")
        var mutator = JSONMutator(seed: 33)
        for number in 0..<100 {
            let text = mutator.mutate(honest.replacing("uid-a", with: "uid-\(number)"))
            try Files.write(node.scratch("journal/plans/uid-\(number).json"), text)
            try? node.runtime?.run(pod)
            _ = try? node.runtime?.create(NRIContainer(), in: pod)
            for request in [ControlRequest.publish(claim: "uid-\(number)"), .status, .release(claim: "uid-\(number)")] {
                let reply = try ask(node, request)
                #expect((reply.refusal?.utf8.count ?? 0) <= ControlReply.lineLimit)
            }
            try? Files.remove(node.scratch("journal/plans/uid-\(number).json"))
        }
        #expect(injector.isRunning && node.injectorDaemon === injector)
        try node.runtime?.stop(pod)
        #expect(try ask(node, .status).refusal == nil)
        try node.expectUnchanged(since: before)
    }

    @Test
    func `nearside-node does not start on the journal of another driver`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let other = try ChildProcess.run(
            "\(Place.programs)/nearside-node",
            [
                "--node-name", "testnode", "--driver", "other.example.com", "--host-root", node.scratch("host"), "--journal",
                node.scratch("journal"), "--states", node.scratch("states"), "--kubelet-root", node.scratch.path, "--api-server",
                node.api.url,
                "--metrics", "off",
            ], in: node.host)
        #expect(other.status != 0)
        #expect(
            other.output.contains("the journal belongs to driver dra.nearside; set another --journal"), "\(other.output)")
    }
}
