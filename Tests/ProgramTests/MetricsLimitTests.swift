// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Testbed
import Testing

/// Malicious clients of the metrics, as any pod in the host's network can be.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct MetricsLimitTests {
    private static let port = 9189

    private func node() throws -> TestNode {
        let node = try TestNode.hgxA100()
        node.options.nodeArguments = ["--metrics", "127.0.0.1:\(Self.port)"]
        try node.startNode()
        #expect(eventually { node.log("node.log").contains("serving metrics") })
        return node
    }

    private func client(_ script: String, _ node: TestNode) throws -> (status: Int32, output: String) {
        try ChildProcess.run("/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(Self.port) || exit 9; \(script)"], in: node.host)
    }

    private func page(_ node: TestNode) throws -> String {
        try client("printf 'GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3", node).output
    }

    @Test
    func `a thousand idle clients get a bounded number of connections, are closed after a while, and the kubelet is served`() throws {
        let node = try node()
        let daemon = try #require(node.nodeDaemon)
        func descriptors() -> Int { Files.list("/proc/\(daemon.identifier)/fd").count }
        #expect(try eventually { try node.api.hasWholePool() })
        let before = descriptors()
        let clients = try ChildProcess(
            "/bin/bash",
            [
                "-c",
                "ulimit -n 2048; for i in {1..1000}; do exec {fd}<>/dev/tcp/127.0.0.1/\(Self.port) || exit 1; done; echo connected; sleep 120",
            ], in: node.host, output: node.scratch("clients.log"))
        #expect(eventually { node.log("clients.log").contains("connected") }, "\(node.log("clients.log"))")
        #expect(eventually { descriptors() <= before + 20 }, "\(before) \(descriptors())")
        let error = #expect(throws: KubeletPeer.Failure.self) {
            try node.kubelet?.prepare(namespace: "default", name: "none", uid: "none")
        }
        #expect(error?.details.contains("404 NotFound") == true)
        // All clients are still connected, and send nothing.
        #expect(try eventually { try page(node).contains("nearside_slices_current 1") })
        #expect(clients.isRunning)
        #expect(eventually { descriptors() <= before + 4 }, "\(before) \(descriptors())")
        clients.stop(SIGKILL)
    }

    @Test
    func `a client that sends byte by byte is closed, with a valid request and without`() throws {
        let node = try node()
        for head in ["", "GET /metrics HTTP/1.1\\r\\nX: "] {
            // Without a limit this would take forty seconds; the time-out is for the whole connection.
            let slow = try client("trap '' PIPE; printf '\(head)' >&3; for i in {1..80}; do printf x >&3 || exit 3; sleep 0.5; done", node)
            #expect(slow.status == 3, "\(slow.output)")
        }
        #expect(try page(node).contains("nearside_slices "))
    }

    @Test(arguments: [
        "printf 'GET /healthz HTTP/1.1\\r\\nX: '; head -c 60000 /dev/zero | tr '\\0' x; printf '\\r\\n\\r\\n'",
        "printf 'GET /healthz HTTP/1.1\\r\\nContent-Length: 1000000\\r\\n\\r\\n'; head -c 1000000 /dev/zero",
        "printf 'GET /'; head -c 60000 /dev/zero | tr '\\0' x; printf ' HTTP/1.1\\r\\n\\r\\n'",
    ])
    func `a long request gets no answer`(request: String) throws {
        let node = try node()
        let long = try client("trap '' PIPE; (\(request)) >&3 2>/dev/null; cat <&3", node)
        #expect(!long.output.contains("200 OK"), "\(long.output.prefix(300))")
        #expect(try page(node).contains("nearside_slices "))
    }
}
