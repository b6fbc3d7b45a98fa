// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import FoundationEssentials
import Inspection
import NetworkModel
import ResourceAPI
import Testing

/// Mutated configurations and claims: decoding never traps, and its errors are bounded.
struct ConfigFuzzTests {
    /// NEARSIDE_FUZZ=N sets the number of cases.
    private static let cases = ProcessInfo.processInfo.environment["NEARSIDE_FUZZ"].flatMap { Int($0) } ?? 2000

    private static let seeds = [
        #"{"interface":{"name":"net1","mtu":9000,"addresses":["10.0.0.5/24","2001:db8::5/64"],"hardwareAddr":"02:00:00:00:00:01","sysctls":{"ipv4.rp_filter":2,"ipv6.neigh.ucast_solicit":"5"},"vrf":{"name":"blue","table":77},"subInterface":{"type":"macvlan","mode":"private"}},"routes":[{"destination":"10.1.0.0/16","gateway":"10.0.0.1","table":9,"metric":5,"onLink":true}]}"#,
        #"{"apiVersion":"nearside/v1alpha1","kind":"NetworkConfig","rules":[{"source":"10.0.0.0/8","table":5,"priority":7}],"neighbors":[{"destination":"10.0.0.9","hardwareAddr":"02:00:00:00:00:09"}],"ethtool":{"features":{"tso":false},"privateFlags":{"x":true}},"rdma":{"management":true},"sriov":{"vlan":7,"trust":true,"minTxRate":5,"maxTxRate":9},"workload":{"environment":true},"pinned":["interface.mtu"]}"#,
        #"{"metadata":{"name":"c","namespace":"ns","uid":"u","annotations":{"a":"b"}},"status":{"allocation":{"devices":{"results":[{"request":"nic","driver":"dra.nearside","pool":"p","device":"x","shareID":null}],"config":[{"source":"FromClaim","requests":["nic"],"opaque":{"driver":"dra.nearside","parameters":{"interface":{"mtu":1500}}}}]}},"reservedFor":[{"resource":"pods","name":"p","uid":"pu"}]}}"#,
    ]

    /// Fragments that are difficult for parsers.
    private static let pieces: [[UInt8]] =
        [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "null", "true", "1e999", "-", "9223372036854775808", "-1", "0",
            "65536",
            "%d", "../", "eth0", "\u{0}", "\n", "é", #"{"a":"#, "[[[[[[[[", "]]]]]]]]", #""x":{},"#, "255.255.255.255/33", "::/129", ".5",
            "e",
        ].map { Array($0.utf8) } + [[0xff], [0xc3], [0xed, 0xa0, 0x80]]

    private static func mutated(_ bytes: [UInt8], _ generator: inout SplitMix) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            let end = min(bytes.count, at + Int.random(in: 0...24, using: &generator))
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.removeSubrange(at..<end)
            case 2: bytes.insert(contentsOf: pieces.randomElement(using: &generator) ?? [], at: at)
            case 3: bytes.replaceSubrange(at..<end, with: pieces.randomElement(using: &generator) ?? [])
            case 4:
                // Repeats a part: long lists, long names, deep nesting.
                let part = Array(bytes[at..<end])
                bytes.insert(contentsOf: (0..<Int.random(in: 1...300, using: &generator)).flatMap { _ in part }, at: at)
            default: bytes = Array(bytes[..<at])
            }
        }
        return bytes
    }

    @Test
    func `mutated configurations and claims never trap, and errors about them are bounded`() {
        var generator = SplitMix(seed: 20)
        var accepted = 0
        for number in 0..<Self.cases {
            let seed = Self.seeds.randomElement(using: &generator) ?? ""
            let bytes = Self.mutated(Array(seed.utf8), &generator)
            do throws(InvalidConfig) {
                let config = try NetworkConfig(parameters: bytes)
                accepted += 1
                // An accepted configuration that overrides an empty one is unchanged, and its entries are within the limits.
                #expect(NetworkConfig().overlaid(by: config) == config && config.entries <= 1024 && config.conflicts.isEmpty, "\(number)")
                for name in [config.interface.name, config.interface.vrf?.name] { #expect(name.map(InterfaceNames.isUsable) != false) }
                for name in config.interface.settings.keys { #expect(name.split(separator: "/").count == 3 && !name.contains("..")) }
            } catch {
                #expect(!error.problems.isEmpty && error.description.utf8.count <= ProblemText.bytes + 64, "\(number)")
            }
            do throws(JSONError) {
                let claim = try ResourceClaim(json: bytes)
                for config in claim.status?.allocation?.devices.config ?? [] {
                    _ = try? NetworkConfig(parameters: config.opaque?.parameters ?? [])
                }
            } catch { #expect(error.description.utf8.count < 256) }
            if let check = try? ConfigCheck(bytes, driver: "dra.nearside") { #expect(check.problems.count <= 200) }
        }
        #expect(accepted > 0 || Self.cases < 100)
    }
}
