// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import NRIMessages
import Testbed
import Testing

/// Plans that are damaged on the disk.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct DamagedPlanTests {
    @Test
    func `a plan that is damaged on the disk stays cached, is rewritten, and keeps its devices`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("a")
        let devices = try node.prepare("a")
        let file = node.scratch("journal/plans/uid-a.json")
        let plan = try Files.readText(file)
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)

        try Files.write(file, "{")
        try node.addClaim("b", pod: "pod-2")
        let refusal = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("b") }
        #expect(refusal?.details.contains("default/a") == true, "\(refusal?.details ?? "")")
        #expect(try node.prepare("a") == devices)
        #expect(try Files.readText(file) == plan)

        try Files.write(file, "{")
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
        #expect(Files.list(node.scratch("journal/plans")).isEmpty && Files.list(node.scratch("states/states")).isEmpty)
        try node.prepare("b")
    }

    /// nearside-nri caches plans, but it never read a plan that was damaged before its start.
    @Test(arguments: [false, true])
    func `a plan that is damaged before it was read is restored for its pod, and no pod starts without its devices`(isForgotten: Bool)
        throws
    {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.addClaim("a", pod: "pod-one")
        try node.prepare("a")
        node.kill(node: SIGTERM)
        node.kill(injector: SIGTERM)
        let file = node.scratch("journal/plans/uid-a.json")
        let plan = try Files.readText(file)
        if !isForgotten { try node.startNode() }
        try Files.write(file, "{")
        try node.startInjector()
        let pod = try node.makePod("one", uid: "pod-one")
        let other = try node.makePod("two", uid: "pod-two")
        for pod in [pod, other] { try node.runtime?.run(pod) }
        if isForgotten {
            // The claim of the plan is unknown now.
            for pod in [pod, other] {
                #expect { try node.runtime?.create(NRIContainer(), in: pod) } throws: {
                    "\($0)".contains("the pod may use the claim with UID uid-a, whose plan was damaged")
                }
            }
            try node.startNode()
        }
        try node.runtime?.create(NRIContainer(), in: other)
        #expect(try !node.hasInterface("net1", in: other))
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
        #expect(try Files.readText(file) == plan)
        #expect(Files.list(node.scratch("journal/plans")) == ["uid-a.json"])
        for pod in [pod, other] { try node.runtime?.stop(pod) }
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    /// Files of a newer release, a folder, noise, and a file whose name is not a UID, which stays.
    @Test
    func `a plan of no claim of this driver holds no pod back, and is kept under another name`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        let folder = node.scratch("journal/plans")
        try node.addClaim("a", pod: "pod-one")
        try node.prepare("a")
        let texts = ["newer": "{\"version\": 99, \"claim\": 7}", "noise": "{", "empty": ""]
        for (name, text) in texts { try Files.write("\(folder)/\(name).json", text) }
        try Files.makeFolder("\(folder)/folder.json")
        try Files.write("\(folder)/no uid.json", "[1]")

        let pod = try node.makePod("one", uid: "pod-one")
        let other = try node.makePod("two", uid: "pod-two")
        for (pod, hasDevice) in [(pod, true), (other, false)] {
            try node.runtime?.run(pod)
            try node.runtime?.create(NRIContainer(), in: pod)
            #expect(try node.interfaces(pod).contains("net1") == hasDevice)
        }
        for (name, text) in texts { #expect(try Files.readText("\(folder)/\(name).json.foreign") == text) }
        #expect(Files.exists("\(folder)/folder.json.foreign"))
        #expect(Files.list(folder).filter { $0.hasSuffix(".json") } == ["no uid.json", "uid-a.json"])
        #expect(node.log("node.log").contains("plan of an unknown claim set aside"))

        for pod in [pod, other] { try node.runtime?.stop(pod) }
        try node.unprepare("a")
        #expect(Files.list(folder).filter { $0.contains("uid-a") }.isEmpty)
    }
}
