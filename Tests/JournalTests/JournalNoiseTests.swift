// SPDX-License-Identifier: Apache-2.0

import Foundation
import Journal
import JournalModel
import Linux
import Testbed
import Testing

/// Malicious plans, states and reports, mutated from valid ones: refused with short errors, or within all limits.
///
/// `NEARSIDE_FUZZ=100000` sets the number for each kind.
struct JournalNoiseTests {
    private static let count = ProcessInfo.processInfo.environment["NEARSIDE_FUZZ"].flatMap { Int($0) } ?? 1000

    private static func result<Value>(_ read: () throws(JournalError) -> Value?) -> Result<Value?, JournalError> {
        do throws(JournalError) { return .success(try read()) } catch { return .failure(error) }
    }

    /// Writes mutations of the texts to the file, and checks each. Returns the number of accepted ones.
    private static func mutate(
        _ file: String, _ texts: [String], seed: UInt64, _ judge: () throws -> Result<Bool, JournalError>
    ) throws -> Int {
        var mutator = JSONMutator(seed: seed)
        var taken = 0
        for number in 0..<count {
            let text = mutator.mutate(texts[number % texts.count])
            try Files.write(file, text)
            switch try judge() {
            case .success(let isTaken): taken += isTaken ? 1 : 0
            case .failure(let error): #expect(error.description.utf8.count <= 2048, "\(error) of \(text.prefix(2000))")
            }
        }
        return taken
    }

    @Test
    func `a hostile plan is refused with a short error, or is within its limits and can be read again`() throws {
        let sample = try JournalSample()
        try sample.rewrite()
        let texts = [try Files.readText(sample.planFile), try JournalSample.golden("plan")]
        let taken = try Self.mutate(sample.planFile, texts, seed: 20_261_128) {
            Self.result { () throws(JournalError) in try sample.injector.plan(JournalSample.claim) }.map { plan in
                guard let plan else { return false }
                #expect(plan.problems.isEmpty)
                return Self.result { () throws(JournalError) in
                    try sample.node.write(plan)
                    return try sample.injector.plan(JournalSample.claim)
                } == .success(plan)
            }
        }
        #expect(taken > 0 && taken < Self.count)
    }

    @Test
    func `a hostile state is refused with a short error, or is within its limits and can be read again`() throws {
        let sample = try JournalSample()
        try sample.rewrite()
        try Files.remove(sample.stateFile + ".copy")
        let texts = [try Files.readText(sample.stateFile), try JournalSample.golden("state")]
        let taken = try Self.mutate(sample.stateFile, texts, seed: 7) {
            Self.result { () throws(JournalError) in try sample.injector.state(JournalSample.claim) }.map { state in
                // Nil for a state of another boot.
                guard let state else { return false }
                #expect(state.problems.isEmpty)
                let again = Self.result { () throws(JournalError) in
                    try sample.injector.write(state)
                    return try sample.node.state(JournalSample.claim)
                }
                try? Files.remove(sample.stateFile + ".copy")
                return again == .success(state)
            }
        }
        #expect(taken > 0 && taken < Self.count)
    }

    @Test
    func `a hostile report of a late pod is refused with a short error, or is within its limits`() throws {
        let sample = try JournalSample()
        try sample.rewrite()
        let taken = try Self.mutate(sample.lateFile, [try Files.readText(sample.lateFile)], seed: 11) {
            let (pods, damaged) = sample.node.latePods()
            for pod in pods { #expect(pod.problems.isEmpty) }
            return damaged.first.map { .failure($0) } ?? .success(!pods.isEmpty)
        }
        #expect(taken > 0 && taken < Self.count)
    }
}
