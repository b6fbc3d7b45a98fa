// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import NRIMessages
import Testbed
import Testing

/// Daemons that end or are killed while pods run, start and stop.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct DaemonDeathTests {
    @Test(arguments: [SIGKILL, SIGTERM])
    func `after nearside-nri was killed while a pod runs, the next instance restores all devices`(signal: Int32) throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        node.kill(injector: signal)
        #expect(throws: KubeletPeer.Failure.self) { try node.unprepare("a") }
        #expect(try node.isAttached("net1", in: pod), "the running pod keeps its interface")
        try node.startInjector()
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test(arguments: [SIGKILL, SIGTERM])
    func `after nearside-node was killed, a prepared pod still gets its devices, and the next instance knows the claim`(signal: Int32)
        throws
    {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("a")
        _ = try node.prepare("a")
        node.kill(node: signal)
        let pod = try node.makePod("p", uid: "pod-1")
        try node.runtime?.run(pod)
        #expect(try node.isAttached("net1", in: pod))
        try node.startNode()
        // Another claim cannot get the device, also not from the new instance.
        try node.addClaim("b", pod: "pod-2")
        let error = #expect(throws: KubeletPeer.Failure.self) { try node.prepare("b") }
        #expect(error?.details == "claim default/b: device pci-0000-0c-00-0 is still held by claim default/a")
        try node.runtime?.stop(pod)
        try node.unprepare("a")
        try node.expectUnchanged(since: before)
    }

    @Test
    func `a pod that started without nearside-nri gets its interface at the next synchronization`() throws {
        let node = try TestNode.serving()
        defer { node.removeAllPods() }
        try node.addClaim("a")
        _ = try node.prepare("a")
        node.kill(injector: SIGKILL)
        let pod = try node.makePod("p", uid: "pod-1")
        try node.startInjector()
        #expect(try node.isAttached("net1", in: pod))
    }

    @Test
    func `nearside-nri killed at any moment of attach or detach: no container runs without its interfaces, and the host is restored`()
        throws
    {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        let before = try node.hostText()
        try node.startInjector()
        try node.startNode()
        let devices = [TestNode.nic, "pci-0000-12-00-0", "pci-0000-4b-00-0"]
        for (round, delay) in [0, 3, 10, 25, 40, 60, 80, 100].enumerated() {
            let name = "k\(round)"
            try node.addClaim(name, devices: devices, pod: name, interface: "net")
            _ = try node.prepare(name)
            let pod = try node.makePod(name, uid: name)
            // The runtime continues without the plugin, also after an error of the call.
            try killInjector(node, afterMilliseconds: delay)
            try? node.runtime?.run(pod)
            node.kill(injector: SIGKILL)
            try node.startInjector()
            try node.runtime?.create(NRIContainer(), in: pod)
            for index in devices.indices { #expect(try node.isAttached("net\(index)", in: pod), "killed after \(delay) ms") }
            try killInjector(node, afterMilliseconds: delay)
            try? node.runtime?.stop(pod)
            node.kill(injector: SIGKILL)
            try node.startInjector()
            try node.unprepare(name)
            node.removePod(pod)
            try node.expectUnchanged(since: before, "killed after \(delay) ms")
        }
    }

    /// Kills the daemon from another thread while this thread waits.
    private func killInjector(_ node: TestNode, afterMilliseconds delay: Int) throws {
        guard let process = node.injectorDaemon?.identifier else { return }
        try KernelThread.start {
            usleep(useconds_t(delay * 1000))
            Glibc.kill(process, SIGKILL)
        }
    }
}
