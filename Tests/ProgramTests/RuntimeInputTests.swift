// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import NRIMessages
import SwiftProtobuf
import Testbed
import Testing

/// The largest and the strangest input of a runtime to nearside-nri.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct RuntimeInputTests {
    /// The peak memory of a process in KiB (proc_pid_status(5)).
    private static func peak(of process: pid_t) throws -> Int {
        let status = try Files.readText("/proc/\(process)/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(Int(line.split(separator: " ").dropLast().last ?? ""))
    }

    /// A running container with an environment of 128 KiB, the most that an argument of execve(2) may have.
    private static func container(_ name: String, in pod: NRIPodSandbox) throws -> NRIContainer {
        var container = NRIContainer()
        (container.id, container.podSandboxID, container.name, container.state) = (name, pod.id, name, .containerRunning)
        // Field 8 is the environment, which the definition lacks: 1024 variables of 128 bytes, each with its tag and length.
        let variable = [UInt8](String(repeating: "x", count: 126).utf8)
        try container.merge(serializedBytes: (0..<1024).flatMap { _ in [0x42, 126] + variable })
        return container
    }

    /// The pods and their containers in parts within ttrpc's limit, as runtimes send them.
    private static func parts(_ pods: [NRIPodSandbox]) throws -> [NRISynchronizeRequest] {
        var parts = [NRISynchronizeRequest()]
        var size = 0
        for pod in pods {
            let container = try container("c-\(pod.id)", in: pod)
            let messages: ([UInt8], [UInt8]) = (try pod.serializedBytes(), try container.serializedBytes())
            let bytes = messages.0.count + messages.1.count + 16
            // The surrounding call adds some bytes.
            if size + bytes > 4 << 20 - 256 {
                parts[parts.count - 1].more = true
                parts.append(NRISynchronizeRequest())
                size = 0
            }
            size += bytes
            parts[parts.count - 1].pods.append(pod)
            parts[parts.count - 1].containers.append(container)
        }
        return parts
    }

    @Test(arguments: [RuntimePeer.Dialect.stateChange, .calls])
    func `nearside-nri stays under 24 MiB while the runtime reports 250 pods with large environments and annotations`(
        dialect: RuntimePeer.Dialect
    ) throws {
        let node = try TestNode.hgxA100(dialect)
        defer { node.removeAllPods() }
        try node.startInjector()
        try node.startNode()
        try node.addClaim("first")
        try node.prepare("first")
        let (daemon, runtime) = (try #require(node.injectorDaemon), try #require(node.runtime))
        let pod = try node.makePod("one", uid: "pod-1")
        var pods = (2...250).map { number in
            var pod = NRIPodSandbox.testbed(
                id: "sandbox-\(number)", uid: "pod-\(number)", name: "pod-\(number)", networkNamespace: "/run/netns/none-\(number)")
            pod.annotations = ["example.com/long": String(repeating: "x", count: 64 << 10)]
            return pod
        }
        pods.insert(pod, at: 125)
        let parts = try Self.parts(pods)
        #expect(parts.count > 10)
        // Reported again whenever the runtime starts.
        for _ in 0..<3 {
            for part in parts {
                let answer: NRISynchronizeResponse = try runtime.call("Synchronize", part)
                #expect(answer.more == part.more)
            }
        }
        #expect(try node.isAttached("net1", in: pod), "the valid pod among the others was processed: \(node.log("nri.log"))")
        let peak = try Self.peak(of: daemon.identifier)
        #expect(peak < 24 << 10, "\(peak) KiB")
        try runtime.stop(pod)
        try node.unprepare("first")
    }

    @Test(arguments: [(0, "2.0"), (-1, "2.0"), (Int.max, "60.0"), (Int.min, "2.0"), (1, "0.1"), (2500, "2.5")])
    func `the runtime's time-out is clamped, and pods get their devices`(told: Int, taken: String) throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        node.options.requestTimeout = told
        try node.startInjector()
        try node.startNode()
        #expect(node.log("nri.log").contains("timeout=\(taken) seconds"), "\(node.log("nri.log"))")
        try node.addClaim("first")
        try node.prepare("first")
        let pod = try node.makePod("one", uid: "pod-1")
        try node.runtime?.run(pod)
        try node.runtime?.create(NRIContainer(), in: pod)
        #expect(try node.isAttached("net1", in: pod))
        try node.runtime?.stop(pod)
        try node.unprepare("first")
        #expect(node.injectorDaemon?.stop() == 0)
    }
}
