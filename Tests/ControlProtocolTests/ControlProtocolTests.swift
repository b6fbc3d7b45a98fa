// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Linux
import Testing

struct ControlProtocolTests {
    @Test(arguments: [ControlRequest.status, .release(claim: "c-1"), .admit(claim: "c-2")])
    func `a request decodes what it encodes`(request: ControlRequest) {
        #expect(ControlRequest(line: request.line.dropLast()) == request)
    }

    @Test(arguments: [NodeRequest.check(.alive), .check(.ready), .pod(namespace: "n", name: "a.b", uid: "u-1")])
    func `a request to nearside-node decodes what it encodes`(request: NodeRequest) {
        #expect(NodeRequest(line: request.line.dropLast()) == request)
    }

    @Test(arguments: [
        "", "status now", "release", "release ", "release a b", "admit", "admit ../x", "release a.b", "admit \u{e9}", "shutdown", "STATUS",
    ])
    func `an unknown line is not a request`(line: String) { #expect(ControlRequest(line: line) == nil) }

    @Test
    func `a reply is one line for any text`() {
        let reply = ControlReply.refused("two\nlines")
        #expect(reply.line == "error two lines\n")
        #expect(ControlReply(line: "error x y") == .refused("x y"))
        #expect(ControlReply(line: "ok") == .ok)
        #expect(ControlReply(line: "maybe") == nil)
        let supports = ControlReply.supports(["dhcp", "subInterface"])
        #expect(ControlReply(line: supports.line.dropLast()) == supports)
        for line in ["ok ", "ok a,,b", "ok a b", "ok a,b/c", "ok " + String(repeating: "a,", count: 4000) + "a"] {
            #expect(ControlReply(line: line) == nil)
        }
    }

    @Test
    func `a reason of any length fits into a line`() {
        for text in [String(repeating: "x", count: 100_000), String(repeating: "ü", count: 50_000), "\u{0}\r\n\t"] {
            let line = ControlReply.refused(text).line
            #expect(line.utf8.count <= ControlReply.lineLimit && line.filter { $0 == "\n" }.count == 1)
            #expect(ControlReply(line: line.dropLast())?.refusal?.isEmpty == false)
        }
    }

    @Test
    func `a daemon that replies byte by byte is not waited for longer than a silent one`() throws {
        let path = "/tmp/nearside-slow-\(UInt64.random(in: .min ... .max))"
        let listener = try UnixSocket.listen(path)
        defer { try? Files.remove(path) }
        try KernelThread.start {
            guard let client = try? UnixSocket.accept(listener) else { return }
            while (try? UnixSocket.send([UInt8(ascii: "x")], to: client)) != nil {
                _ = try? Poller.readable([], until: .after(.milliseconds(20)))
            }
        }
        let start = ContinuousClock.now
        let error = #expect(throws: ControlUnreachable.self) {
            try ControlClient.ask(.status, socket: path, timeout: .milliseconds(200))
        }
        #expect(error?.code == .noAnswer)
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test
    func `a socket without a server gives a clear error`() {
        let error = #expect(throws: ControlUnreachable.self) {
            try ControlClient.ask(.status, socket: "/nonexistent/nri.sock", timeout: .milliseconds(100))
        }
        #expect(error?.description == "nearside-nri does not answer: /nonexistent/nri.sock: connect: No such file or directory")
        #expect(error?.code == .noAnswer)
    }

    @Test
    func `a path that exceeds a socket address is refused, and not truncated`() {
        let path = "/tmp/" + String(repeating: "x", count: 110)
        let error = #expect(throws: SystemError.self) { try UnixSocket.connect(path) }
        #expect(error?.code == ENAMETOOLONG && error?.object == path)
    }

    @Test
    func `a descriptor is passed with its bytes`() throws {
        let (left, right) = try UnixSocket.pair()
        let file = try Descriptor.open("/proc/self/ns/net", flags: 0)
        try UnixSocket.send([1, 2, 3], descriptor: file, to: left)
        let (bytes, received) = try UnixSocket.receive(from: right)
        #expect(bytes == [1, 2, 3])
        #expect(try received?.identity() == file.identity())
        #expect(received?.raw != file.raw)
    }

    @Test
    func `each party of a waiting container ends its wait before the party that waits for it`() {
        let timing = GateTiming.standard
        #expect(timing.daemon + .seconds(1) < timing.gate && timing.gate + .seconds(1) < timing.hook)
        #expect(timing.hook == .seconds(timing.hook.components.seconds), "an OCI hook counts in seconds")
    }
}
