// SPDX-License-Identifier: Apache-2.0

import KubeletAPI
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Testing

/// What others do to interfaces and namespaces behind our back.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct LostInterfaceTests {
    @Test
    func `a device whose interface somebody took away is not given out until it is back`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let name = { try node.api.slices().flatMap { $0.spec.devices ?? [] }.first { $0.name == TestNode.nic }?.attributes?["ifName"] }
        guard try eventually({ try name() != nil }), case .string(let interface)? = try name() else {
            Issue.record("the NIC is not published with an interface")
            return
        }
        let elsewhere = try node.makePod("elsewhere", uid: "elsewhere")
        let path = try #require(elsewhere.linux.namespaces.first?.path)
        #expect(try ChildProcess.run("/sbin/ip", ["link", "set", interface, "netns", path], in: node.host).status == 0)
        #expect(try eventually { try name() == nil })
        try node.addClaim("a")
        let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("a") }
        #expect(
            error?.details.contains("had interface \(interface), which is not on the host now; put it back") == true,
            "\(error?.details ?? "")")
        let back = "/proc/\(try #require(node.nodeDaemon).identifier)/ns/net"
        let inside = try node.namespace(of: elsewhere)
        #expect(try ChildProcess.run("/sbin/ip", ["link", "set", interface, "netns", back], in: inside).status == 0)
        let isPrepared = eventually { (try? node.prepare("a")) != nil }
        #expect(isPrepared)
    }

    @Test
    func `a pod whose namespace goes without a word still gives everything back`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        // As CRI-O does it, and any runtime that is restarted meanwhile. The kernel would delete these interfaces.
        node.removePod(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }
}
