// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import NRIMessages
import Testbed
import Testing

/// State that survives connections, daemons and claims.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct TakeoverTests {
    @Test
    func `in a rolling update the next nearside-nri waits for the end of the old one, and pods keep their devices`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("first")
        try node.prepare("first")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        let old = try #require(node.injectorDaemon)
        // The surge of a rolling update: both instances run.
        try node.startInjector(nriSocket: node.scratch("nri.sock"))
        let next = try #require(node.injectorDaemon)
        #expect(eventually { node.log("nri.log").contains("another nearside-nri serves this journal") })
        try node.runtime?.create(NRIContainer(), in: pod)
        try node.addClaim("second", devices: ["pci-0000-12-00-0"], pod: "pod-2", interface: "net2")
        try node.prepare("second")
        #expect(old.isRunning && next.isRunning)
        #expect(old.stop(SIGTERM) == 0)
        node.dropRuntime()
        try node.connectRuntime()
        #expect(try node.isAttached("net1", in: pod))
        // Only the cluster knows whether the pod uses the first pod's claim, which is open.
        let other = try node.makePod("two", uid: "pod-2")
        try node.runtime?.run(other)
        try node.runtime?.create(NRIContainer(), in: other)
        #expect(try node.isAttached("net2", in: other))
        for (pod, claim) in [(pod, "first"), (other, "second")] {
            try node.runtime?.stop(pod)
            try node.unprepare(claim)
        }
        try node.expectUnchanged(since: before)
    }

    @Test
    func `nearside-nri reconnects to a runtime after each restart`() throws {
        let node = try TestNode.serving()
        for _ in 0..<12 {
            node.dropRuntime()
            try node.connectRuntime()
        }
        #expect(node.injectorDaemon?.isRunning == true)
        try node.addClaim("first")
        #expect(eventually { (try? node.prepare("first")) != nil })
    }

    @Test(arguments: [["first", "second"], ["second", "first"]])
    func `two claims of a pod are released independently`(order: [String]) throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("first", interface: "net1")
        try node.addClaim("second", devices: ["pci-0000-12-00-0"], interface: "net2")
        try node.prepare("first")
        try node.prepare("second")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        let names = ["first": "net1", "second": "net2"]
        #expect(try names.values.allSatisfy { try node.isAttached($0, in: pod) })
        // As with a grace period of 0: before the sandbox stops.
        try node.unprepare(order[0])
        #expect(try node.isAttached(names[order[1]] ?? "-", in: pod) && !node.hasInterface(names[order[0]] ?? "-", in: pod))
        try node.unprepare(order[1])
        try node.runtime?.stop(pod)
        try node.expectUnchanged(since: before)
        for folder in ["cdi", "journal/plans", "states/states"] { #expect(Files.list(node.scratch(folder)).isEmpty) }
    }

    @Test
    func `a sandbox with a missing namespace leaves the interface unchanged`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("first")
        try node.prepare("first")
        let before = try node.hostText()
        let gone = NRIPodSandbox.testbed(id: "sandbox-1", uid: "pod-1", name: "one", networkNamespace: node.scratch("no-such"))
        try node.runtime?.run(gone)
        #expect(throws: (any Error).self) { try node.runtime?.create(NRIContainer(), in: gone) }
        try node.expectUnchanged(since: before)
        // The runtime creates another sandbox for the pod.
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
        try node.runtime?.stop(pod)
    }
}
