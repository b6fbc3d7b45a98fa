// SPDX-License-Identifier: Apache-2.0

import Discovery
import Foundation
import Hardware
import Inspection
import Linux
import Primitives
import ResourceAPI
import Testbed
import Testing
import Topology

/// A hidden hierarchy, from a vendor's file or a table.
struct HintTests {
    private func embedded(_ name: String) throws -> Machine { try #require(try MachineDescription.embedded(name)).machine }

    /// A topology file in the vendors' form: two GPUs and two NICs behind each switch, pairs crossed against bus order.
    private static let file = """
        <?xml version="1.0"?>
        <!-- made for this test -->
        <system version="1">
          <cpu numaid="0" affinity="000000ff" arch="x86_64">
            <pci busid="ffff:ff:01.0" class="0x060400" link_speed="16 GT/s" link_width="16">
              <pci busid="0003:00:00.0" class="0x030200"><gpu dev="0" sm="80"><nvlink target="0004:00:00.0" count="1"/></gpu></pci>
              <pci busid="0104:00:00.0" class="0x020700"/>
            </pci>
            <pci busid='ffff:ff:02.0' class="0x060400">
              <pci busid="0004:00:00.0" class="0x030200"/>
              <pci busid="0103:00:00.0" class="0x020700"><nic><net name="a&amp;b" dev="0"/></nic></pci>
            </pci>
          </cpu>
        </system>
        """

    private func policy(_ hint: Hint) -> TopologyPolicy { TopologyPolicy(hints: [.init(machine: "*", hint: hint)]) }

    @Test
    func `a topology file pairs devices of a hidden hierarchy, and is reported as the basis`() throws {
        let hint = try Hint(nccl: Self.file.utf8, source: "ndv4.xml")
        let topology = MachineTopology(try embedded("azure-nd-a100-v4"), policy: policy(hint))
        #expect(topology.warnings == [])
        #expect(topology.partners["0003:00:00.0"] == ["0104:00:00.0"])
        #expect(topology.partners["0004:00:00.0"] == ["0103:00:00.0"])
        let pair = try #require(topology.pairing.pairs.first)
        #expect(pair.basis == .hint)
        #expect(pair.links[0].path.pathClass == .pix)
        // The file does not list the others; the kernel's information applies to them.
        #expect(topology.pairing.pairs.last?.basis == .numa)
    }

    @Test
    func `a table of groups has the same effect, for the machines that it matches`() throws {
        let groups = try [["0003:00:00.0", "0104:00:00.0"], ["0004:00:00.0", "0103:00:00.0"]].map {
            try $0.map { try #require(PCIAddress(parsing: $0)) }
        }
        let hint = Hint(source: "policy.json", groups: groups)
        let machine = try embedded("azure-nd-a100-v4")
        for (pattern, isUsed) in [("Standard_ND96*", true), ("*", true), ("Standard_HB*", false)] {
            let topology = MachineTopology(machine, policy: TopologyPolicy(hints: [.init(machine: pattern, hint: hint)]))
            #expect((topology.partners["0003:00:00.0"] == ["0104:00:00.0"]) == isUsed)
        }
    }

    @Test
    func `a hint that contradicts the kernel is refused with a reason`() throws {
        func warning(_ machine: String, _ text: String) throws -> String {
            let topology = MachineTopology(try embedded(machine), policy: policy(try Hint(nccl: text.utf8, source: "f.xml")))
            #expect(topology.hint == nil)
            #expect(topology.partners == MachineTopology(try embedded(machine)).partners)
            return topology.warnings.joined()
        }
        #expect(
            try warning("azure-nd-a100-v4", Self.file.replacing("numaid=\"0\"", with: "numaid=\"3\"")).contains(
                "on NUMA node 3, but the kernel on node 0"))
        #expect(
            try warning("azure-nd-a100-v4", Self.file.replacing("0104:00", with: "0101:00").replacing("<cpu numaid=\"0\"", with: "<cpu"))
                .contains("behind one switch, but the kernel shows them on NUMA nodes"))
        #expect(try warning("aws-p5", Self.file).contains("none of its 6 functions"))
        let apart = """
            <system><cpu numaid="0"><pci busid="ffff:ff:01.0"><pci busid="0000:53:00.0"/></pci>
            <pci busid="ffff:ff:02.0"><pci busid="0000:4f:00.0"/></pci></cpu></system>
            """
        #expect(try warning("aws-p5", apart).contains("behind different switches, but the kernel shows both behind 0000:45:00.0"))
    }

    @Test(arguments: [
        ("", 1), ("<system>", 1), ("<graph/>", 1), ("<system/><system/>", 1), ("<system></cpu>", 1), ("<system>\n<pci/></system>", 2),
        ("<system><pci busid=\"x\"/></system>", 1),
        ("<system><pci busid=\"0000:01:00.0\"/>\n\n<pci busid=\"0000:01:00.0\"/></system>", 3),
        ("<system a=1/>", 1), ("<system a=\"1/>", 1), ("<system a=\"1\"\na=\"2\"/>", 2), ("\n<!DOCTYPE x><system/>", 2),
        ("<!--\n <system/>", 2), ("<system", 1), (String(repeating: "<system>", count: 100), 1),
    ])
    func `a malformed file is refused with its line`(text: String, line: Int) {
        let error = #expect(throws: InputError.self) { try Hint(nccl: text.utf8, source: "f.xml") }
        #expect(error?.code == .malformed && error?.object == "f.xml" && error?.step == "line \(line)", "\(error?.description ?? "")")
        #expect(error?.cause.isEmpty == false)
    }

    @Test
    func `a randomly damaged file gives a hint about its own devices, or is refused with its line`() {
        var random = SplitMix(seed: 11)
        let bytes = Array(Self.file.utf8)
        var (accepted, refused) = (0, 0)
        for _ in 0..<3000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = damaged.indices.randomElement(using: &random) ?? 0
                switch Int.random(in: 0...3, using: &random) {
                case 0: damaged[place] = UInt8.random(in: 0...255, using: &random)
                case 1: damaged.remove(at: place)
                case 2: damaged.insert(Array("<>\"'/=& \n".utf8).randomElement(using: &random) ?? 0, at: place)
                default: damaged.removeSubrange(place...)
                }
                if damaged.isEmpty { break }
            }
            do {
                let hint = try Hint(nccl: damaged, source: "f.xml")
                accepted += 1
                let named = String(decoding: damaged, as: UTF8.self).split(separator: "busid", omittingEmptySubsequences: false).count - 1
                #expect(hint.places.count <= named)
            } catch {
                refused += 1
                #expect(
                    error.object == "f.xml" && error.step?.hasPrefix("line ") == true && error.description.utf8.count < 2048, "\(error)")
            }
        }
        #expect(accepted > 0 && refused > 0, "\(accepted) accepted, \(refused) refused")
    }

    @Test
    func `a file written for NCCL is read as a hint that agrees with the machine and gives the same pairs`() throws {
        for name in MachineDescription.embeddedNames {
            let topology = MachineTopology(try embedded(name))
            guard !topology.pairing.pairs.isEmpty else { continue }
            let hint = try Hint(nccl: NCCLTopology(topology).text.utf8, source: name)
            #expect(hint.contradiction(to: topology.machine) == nil, "\(name)")
            #expect(MachineTopology(topology.machine, policy: policy(hint)).partners == topology.partners, "\(name)")
        }
    }

    @Test
    func `an invented switch is as fast as the devices behind it, and a NIC's link as fast as its port`() throws {
        var machine = try embedded("azure-nd-a100-v4")
        func lines(_ part: String) -> [Substring] {
            NCCLTopology(MachineTopology(machine)).text.split(separator: "\n").filter { $0.contains(part) }
        }
        let fast = "link_speed=\"16.0 GT/s PCIe\" link_width=\"16\""
        #expect(lines("busid=\"ffff:").count == 8)
        #expect(lines("busid=\"ffff:").allSatisfy { $0.contains(fast) }, "\(lines("busid"))")
        // 200 Gb/s is more than what 8 GT/s carry.
        for index in machine.functions.indices { machine.functions[index].link = nil }
        #expect(lines("class=\"0x0207").count == 8)
        #expect((lines("class=\"0x0207") + lines("busid=\"ffff:")).allSatisfy { $0.contains(fast) }, "\(lines("busid"))")
        #expect(lines("class=\"0x0302").allSatisfy { $0.contains("link_speed=\"\" link_width=\"0\"") }, "\(lines("busid"))")
    }

    @Test
    func `each element of a file for NCCL has a link and a processor`() throws {
        for name in MachineDescription.embeddedNames {
            var machine = try embedded(name)
            for isBare in [false, true] {
                if isBare {
                    machine.processor = nil
                    for index in machine.functions.indices {
                        machine.functions[index].link = nil
                        machine.functions[index].numaNode = nil
                        for device in machine.functions[index].rdmaDevices.indices {
                            machine.functions[index].rdmaDevices[device].ports = []
                        }
                    }
                }
                for line in NCCLTopology(MachineTopology(machine)).text.split(separator: "\n") {
                    if line.contains("<pci") {
                        #expect(line.contains(" link_speed=\"") && line.contains(" link_width=\""), "\(name): \(line)")
                    }
                    if line.contains("<cpu") { #expect(line.contains(" arch=\""), "\(name): \(line)") }
                    if line.contains("arch=\"x86_64\"") { #expect(line.contains(#" vendor="AuthenticAMD" familyid="23" modelid="49""#)) }
                    if isBare, line.contains("<cpu") { #expect(line.contains("numaid=\"-1\" arch=\"\""), "\(name): \(line)") }
                }
            }
        }
    }

    @Test
    func `a policy file sets roles and hints, and an invalid one is refused with the valid form`() throws {
        let folder = try ScratchFolder()
        try Files.write(folder("topo.xml"), Self.file)
        try Files.write(
            folder("policy.json"),
            """
            {"apiVersion": "nearside/v1alpha1", "kind": "TopologyPolicy", "roles": {"storage": ["id=15b3:1021"]},
             "hints": [{"machine": "Standard_ND96*", "ncclTopology": "\(folder("topo.xml"))"}, {"groups": [["0000:01:00.0"]]}]}
            """)
        let policy = try PolicyFile.policy(file: folder("policy.json"), fabric: ["rdma=ib*"], hint: nil)
        #expect(policy.hints.map(\.machine) == ["Standard_ND96*", "*"])
        #expect(policy.roles == [.storage: [try Selector("id=15b3:1021")], .fabric: [try Selector("rdma=ib*")]])
        func document(_ members: String) -> String {
            #"{"apiVersion": "nearside/v1alpha1", "kind": "TopologyPolicy", \#(members)}"#
        }
        let cases: [(String, InputError.Code, String?)] = [
            ("{}", .missing, "apiVersion"), ("x", .malformed, nil),
            (#"{"apiVersion": "nearside/v1alpha1", "kind": "Machine"}"#, .unsupported, nil),
            (document(#""role": {}"#), .malformed, "role"),
            (document(#""roles": {"uplink": []}"#), .unknown, "roles.uplink"),
            (document(#""roles": {"fabric": ["x"]}"#), .malformed, "roles.fabric"),
            (document(#""hints": [{"machin": "x", "groups": []}]"#), .malformed, "hints[0].machin"),
            (document(#""hints": [{}]"#), .malformed, "hints[0]"),
            (document(#""hints": [{"groups": [["x"]]}]"#), .malformed, "hints[0].groups[0][0]"),
        ]
        for (text, code, place) in cases {
            try Files.write(folder("bad.json"), text)
            let error = #expect(throws: InputError.self) { try PolicyFile.read(folder("bad.json")) }
            #expect(error?.object == folder("bad.json") && error?.code == code && error?.step == place, "\(error?.description ?? "")")
        }
    }
}

/// `api/topology-policy.schema.json` compared with accepted files.
struct PolicySchemaTests {
    private func members(_ value: JSONValue?) -> [String] {
        guard case .object(let members)? = value else { return [] }
        return members.keys.sorted()
    }

    @Test
    func `the schema of policies has exactly the accepted keys`() throws {
        let schema = try JSONValue(parsing: try Files.read("\(Place.project)/api/topology-policy.schema.json"))
        #expect(members(schema["properties"]) == ["apiVersion", "hints", "kind", "roles"])
        #expect(members(schema["properties"]?["hints"]?["items"]?["properties"]) == ["groups", "machine", "ncclTopology"])
        let roles = members(schema["properties"]?["roles"]?["properties"])
        let folder = try ScratchFolder()
        for role in roles {
            for key in Selector.Key.allCases {
                try Files.write(
                    folder("policy.json"),
                    #"{"apiVersion": "nearside/v1alpha1", "kind": "TopologyPolicy", "roles": {"\#(role)": ["\#(key.rawValue)=a*,id=b"]}}"#)
                #expect(try PolicyFile.read(folder("policy.json")).roles.count == 1)
            }
        }
        guard case .string(let pattern)? = schema["$defs"]?["selectors"]?["items"]?["pattern"] else { return #expect(Bool(false)) }
        for key in Selector.Key.allCases { #expect(pattern.contains(key.rawValue)) }
    }
}
