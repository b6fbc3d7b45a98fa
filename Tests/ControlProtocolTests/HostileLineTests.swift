// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Inspection
import Testbed
import Testing

/// Lines that no program of this project sends.
struct HostileLineTests {
    private static let lines = HostileCases.asked ?? 5000

    /// The part of a line that readers accept.
    private static func line(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(4096).prefix { $0 != 0x0a }, as: UTF8.self) }

    @Test
    func `a hostile line is not a request, or a request that decodes what it encodes`() {
        var mutator = LineMutator(SplitMix(seed: 11))
        let requests = ["status", "publish c-1", "release c-1", "admit c-1"]
        let questions = ["alive", "ready", "pod default a.b 0f1e2d3c-aaaa"]
        var taken = 0
        for number in 0..<Self.lines {
            let line = Self.line(mutator.mutate(requests[number % requests.count]))
            if let request = ControlRequest(line: line) {
                taken += 1
                #expect(request.line == line + "\n" && line.utf8.count <= ControlRequest.lineLimit, "\(line.prefix(300))")
            }
            let other = Self.line(mutator.mutate(questions[number % questions.count]))
            if let request = NodeRequest(line: other) {
                taken += 1
                #expect(request.line == other + "\n" && other.utf8.count <= NodeRequest.lineLimit, "\(other.prefix(300))")
            }
        }
        #expect(taken > 0 && taken < 2 * Self.lines)
    }

    @Test
    func `a hostile reply is not a reply, or a reply that decodes what it encodes`() {
        var mutator = LineMutator(SplitMix(seed: 13))
        let answers = ["ok", "ok dhcp,subInterface", "error claim default/a: not yet"]
        var taken = 0
        for number in 0..<Self.lines {
            let line = Self.line(mutator.mutate(answers[number % answers.count]))
            guard let reply = ControlReply(line: line) else { continue }
            taken += 1
            #expect(
                reply.line.utf8.count <= ControlReply.lineLimit && ControlReply(line: reply.line.dropLast()) != nil, "\(line.prefix(300))")
        }
        #expect(taken > 0 && taken < Self.lines)
    }

    @Test
    func `a hostile reason is truncated and has no control characters`() throws {
        let reason = try #require(ControlReply(line: "error a\u{0}b\u{1b}[2J" + String(repeating: "x", count: 4000))?.refusal)
        #expect(reason.hasPrefix("a b [2Jx") && reason.utf8.count < 1600)
    }
}
