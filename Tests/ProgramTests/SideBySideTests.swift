// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import NRIMessages
import Testbed
import Testing

/// The programs of another release.
enum OtherRelease {
    /// The folder of the programs; nil without `NEARSIDE_OTHER_RELEASE`.
    static let programs = getenv("NEARSIDE_OTHER_RELEASE").map { String(cString: $0) }
}

/// The daemons of two releases together, as in a rolling update and its reversal. Substitutes for older daemons are in
/// ``FeatureRefusalTests`` and ``UpgradeTests``; these tests use the programs of the other release in the folder
/// `NEARSIDE_OTHER_RELEASE`.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces && OtherRelease.programs != nil, "needs root and NEARSIDE_OTHER_RELEASE"))
struct SideBySideTests {
    enum Daemon: String, Sendable, CaseIterable { case node, injector }

    private func start(_ daemon: Daemon, _ node: TestNode, from programs: String) throws {
        node.options.programs = programs
        if daemon == .node { try node.startNode() } else { try node.startInjector() }
    }

    private func expectInterface(_ node: TestNode, _ pod: NRIPodSandbox) throws {
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
    }

    /// - Parameter daemon: the daemon that begins with the other release.
    @Test(arguments: Daemon.allCases)
    func `a pod keeps its interface when a daemon of another release is replaced, in both directions`(daemon: Daemon) throws {
        let other = try #require(OtherRelease.programs)
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        node.options.gate = "\(Place.programs)/nearside-gate"
        let before = try node.hostText()
        for first in [Daemon.injector, .node] { try start(first, node, from: first == daemon ? other : Place.programs) }
        try node.addClaim("a")
        try node.prepare("a")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        try expectInterface(node, pod)
        // To this release and back.
        for programs in [Place.programs, other] {
            if daemon == .node {
                node.kill(node: SIGTERM)
            } else {
                node.kill(injector: SIGTERM)
                node.dropRuntime()
            }
            try start(daemon, node, from: programs)
            let isPrepared = eventually { (try? node.prepare("a").count) == 1 }
            #expect(isPrepared, "\(node.log("node.log"))")
            try expectInterface(node, pod)
        }
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
        for folder in ["cdi", "journal/plans", "states/states"] { #expect(Files.list(node.scratch(folder)).isEmpty, "\(folder)") }
    }
}
