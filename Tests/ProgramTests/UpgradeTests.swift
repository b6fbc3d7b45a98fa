// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ControlProtocol
import Foundation
import Glibc
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// Files of another release from a running pod, read by both daemons of this release.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct UpgradeTests {
    /// The JSON object of a file.
    private func object(_ path: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(Files.read(path))) as? [String: Any])
    }

    /// The parts of a value that the older format also has.
    private func known(_ value: Any, _ older: Any) -> Any {
        switch (value, older) {
        case (let value as [String: Any], let older as [String: Any]):
            return value.reduce(into: [String: Any]()) { result, entry in
                if let part = older[entry.key] { result[entry.key] = known(entry.value, part) }
            }
        case (let value as [Any], let older as [Any]):
            // The first element of a list has all fields.
            return value.map { item in older.first.map { known(item, $0) } ?? item }
        default: return value
        }
    }

    /// Rewrites a file in the form of release 1, whose golden file has every field of that release.
    private func downgrade(_ path: String, to target: String, like golden: String) throws {
        let older = try object("\(Place.project)/Tests/JournalTests/Golden/\(golden)-1.json")
        var text = try #require(known(try object(path), older) as? [String: Any])
        text["version"] = 1
        // All releases write keys in byte order, unlike JSONSerialization.
        try Files.write(target, JSONValue(parsing: try JSONSerialization.data(withJSONObject: text)).text)
    }

    private func version(_ path: String) throws -> Int? { try object(path)["version"] as? Int }

    /// A node with a pod that has an interface and a running container; both daemons were killed.
    private func crashed(_ body: (TestNode, NRIPodSandbox) throws -> Void) throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        try node.prepare("a")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        node.kill(injector: SIGKILL)
        node.kill(node: SIGKILL)
        node.dropRuntime()
        try body(node, pod)
        // The result equals that without an upgrade.
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
        for folder in ["cdi", "journal/plans", "states/states"] { #expect(Files.list(node.scratch(folder)).isEmpty, "\(folder)") }
    }

    /// The running pod is known to both daemons, and a restarted container of it gets its interface.
    private func expectPodGoesOn(_ node: TestNode, _ pod: NRIPodSandbox) throws {
        #expect(try node.isAttached("net1", in: pod))
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
        // The kubelet prepares again after its own restart, and retries while the states are being converted.
        let isPrepared = eventually { (try? node.prepare("a").count) == 1 }
        #expect(isPrepared, "\(node.log("node.log"))")
        // The device is in use.
        try node.addClaim("b", pod: "pod-2", interface: "net2")
        #expect(try node.expectRefusal("b", .conflict).contains("default/a"))
        let device = { try node.api.slices().flatMap { $0.spec.devices ?? [] }.first { $0.name == TestNode.nic } }
        #expect(try eventually { try device().map { $0.attributes?["ifName"] != nil && $0.taints == nil } == true })
    }

    @Test
    func `with files of version 1 in one folder a pod keeps its interface, which is restored at its end`() throws {
        try crashed { node, pod in
            let (plan, state) = (node.scratch("journal/plans/uid-a.json"), node.scratch("states/states/uid-a.json"))
            try Files.makeFolder(node.scratch("journal/states"))
            try downgrade(state, to: node.scratch("journal/states/uid-a.json"), like: "state")
            try downgrade(plan, to: plan, like: "plan")
            #expect(try object(plan)["requires"] == nil && version(plan) == 1)
            // That release had its lock there, and had neither an owner's name nor a record of prepared claims.
            try Files.write(node.scratch("journal/nri.lock"), "")
            for path in ["journal/driver"] { try Files.remove(node.scratch(path)) }
            for folder in ["states", "plugins/dra.nearside/prepared"] { ScratchFolder.removeTree(node.scratch(folder)) }
            try Files.makeFolder(node.scratch("states"))
            // nearside-node starts first: it allocates no device whose state nearside-nri has not converted yet.
            try node.startNode()
            #expect(throws: KubeletPeer.Failure.self) { try node.prepare("a") }
            try node.startInjector()
            #expect(node.log("nri.log").contains("files of an older release converted"))
            try expectPodGoesOn(node, pod)
            #expect(try version(plan) == 2)
            // Gates of containers that this release prepared connect to the old socket.
            let old = node.scratch("journal/nri.sock")
            let isServed = eventually {
                (try? ControlClient.ask(.status, socket: old, timeout: .seconds(1))).map { $0.refusal == nil } == true
            }
            #expect(isServed)
        }
    }

    @Test
    func `with files of version 1 in two folders a pod keeps its interface, and the state is rewritten at its end`() throws {
        try crashed { node, pod in
            let (plan, state) = (node.scratch("journal/plans/uid-a.json"), node.scratch("states/states/uid-a.json"))
            for path in [state, state + ".copy"] { try downgrade(state, to: path, like: "state") }
            try downgrade(plan, to: plan, like: "plan")
            try node.startInjector()
            try node.startNode()
            try expectPodGoesOn(node, pod)
        }
    }

    @Test
    func `with files of version 2 of this release a pod keeps its interface`() throws {
        try crashed { node, pod in
            #expect(try version(node.scratch("journal/plans/uid-a.json")) == 2)
            #expect(try version(node.scratch("states/states/uid-a.json")) == 2)
            try node.startInjector()
            try node.startNode()
            try expectPodGoesOn(node, pod)
        }
    }

    /// The text of a file as written by a newer release.
    private func newer(_ path: String) throws -> String {
        let text = try Files.readText(path)
        let isEmpty = text.contains("\"requires\":[]")
        return text.replacing("\"requires\":[", with: "\"requires\":[\"teleport\"\(isEmpty ? "" : ",")")
    }

    @Test
    func `a plan of a newer release is computed again from its claim, and containers wait for it`() throws {
        try crashed { node, pod in
            let plan = node.scratch("journal/plans/uid-a.json")
            try Files.write(plan, try newer(plan))
            try node.startInjector()
            #expect(throws: (any Error).self) { try node.runtime?.create(NRIContainer(), in: pod) }
            try node.startNode()
            #expect(try !Files.readText(plan).contains("teleport"))
            try expectPodGoesOn(node, pod)
        }
    }

    @Test
    func `a state of a newer release stays unchanged, and none of its devices is allocated`() throws {
        try crashed { node, pod in
            let state = node.scratch("states/states/uid-a.json")
            let (text, newer) = (try Files.readText(state), try newer(state))
            for path in [state, state + ".copy"] { try Files.write(path, newer) }
            try node.startInjector()
            try node.startNode()
            #expect(throws: (any Error).self) { try node.runtime?.create(NRIContainer(), in: pod) }
            try node.addClaim("b", pod: "pod-2", interface: "net2")
            #expect(throws: KubeletPeer.Failure.self) { try node.prepare("b") }
            #expect(throws: KubeletPeer.Failure.self) { try node.unprepare("a") }
            #expect(try node.isAttached("net1", in: pod))
            for path in [state, state + ".copy"] { #expect(try Files.readText(path) == newer) }
            // The newer release starts again, and restores the interface.
            node.kill(injector: SIGTERM)
            node.dropRuntime()
            for path in [state, state + ".copy"] { try Files.write(path, text) }
            try node.startInjector()
        }
    }
}
