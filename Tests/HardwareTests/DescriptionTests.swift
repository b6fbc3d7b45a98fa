// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import Primitives
import Testbed
import Testing

struct DescriptionTests {
    @Test(arguments: [
        (#""rdmaDevices": [{"name": "a", "ports": [{"number": 1, "rate": 1e300}]}]"#, "functions[0].rdmaDevices[0].ports[0].rate"),
        (#""link": {"gigatransfers": 1e300, "lanes": 16}"#, "functions[0].link.gigatransfers"),
        (#""link": {"gigatransfers": 16, "lanes": 4611686018427387904}"#, "functions[0].link.lanes"),
    ])
    func `a number that no hardware can have is refused`(member: String, place: String) {
        let text = """
            {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "functions": [
             {"address": "0000:02:00.0", "vendor": "15b3", "device": "1021", "class": "020700", \(member)}]}
            """
        let error = #expect(throws: InputError.self) { try MachineDescription(json: text.utf8) }
        #expect(error?.code == .malformed && error?.step == place, "\(error?.description ?? "")")
    }

    @Test
    func `impossible values of sysfs are unknown`() {
        #expect(PCILink(gigatransfers: .infinity, lanes: 16).gigabitsPerSecond == 0)
        var port = RDMAPort(number: 1, rate: .nan)
        #expect(port.rate == nil)
        port.rate = 1e300
        #expect(port.rate == nil)
    }

    @Test(arguments: MachineDescription.embeddedNames)
    func `a machine laid out as a tree is discovered as the same machine`(name: String) throws {
        let description = try #require(try MachineDescription.embedded(name))
        let folder = try ScratchFolder()
        try TreeWriter.write(description.machine, to: folder.path)
        let discovered = try Discovery(root: .captured(at: folder.path)).snapshot().machine
        #expect(try differences(discovered, description.machine) == [])
    }

    @Test(arguments: MachineDescription.embeddedNames)
    func `a description decodes what it encodes`(name: String) throws {
        let description = try #require(try MachineDescription.embedded(name))
        #expect(try MachineDescription(json: try description.json()) == description)
    }

    @Test(
        arguments: [
            ("", .malformed, nil),
            ("{}", .missing, "apiVersion"),
            (#"{"apiVersion":"v1","kind":"Pod"}"#, .malformed, "kind"),
            (#"{"apiVersion":"nearside/v1alpha1","kind":"Machine"}"#, .missing, "functions"),
            (
                #"{"apiVersion":"nearside/v1alpha1","kind":"Machine","functions":[{"address":"0:1"}]}"#,
                .malformed, "functions[0].address"
            ),
            (
                #"{"apiVersion":"nearside/v1alpha1","kind":"Machine","functions":[{"address":"0000:00:00.0","vendor":"zz","device":"0000","class":"000000"}]}"#,
                .malformed, "functions[0].vendor"
            ),
            (
                #"{"apiVersion":"nearside/v1alpha1","kind":"Machine","processor":{"architecture":"vax"},"functions":[]}"#,
                .malformed, "processor.architecture"
            ),
        ] as [(String, InputError.Code, String?)])
    func `an invalid description is refused with the path of the error`(json: String, code: InputError.Code, place: String?) {
        let error = #expect(throws: InputError.self) { try MachineDescription(json: json.utf8) }
        #expect(error?.code == code && error?.step == place, "\(error?.description ?? "")")
    }

    @Test
    func `a duplicate address is refused`() {
        let function = #"{"address":"0000:00:01.0","vendor":"10de","device":"2330","class":"030200"}"#
        let json = #"{"apiVersion":"nearside/v1alpha1","kind":"Machine","functions":[\#(function),\#(function)]}"#
        let error = #expect(throws: InputError.self) { try MachineDescription(json: json.utf8) }
        #expect(error?.description == "machine description: functions: 0000:00:01.0 occurs twice")
        #expect(error?.code == .duplicate)
    }

    @Test(arguments: [
        (
            "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: X\n\nprocessor\t: 1\nmodel\t\t: 1\n",
            Processor(architecture: .x86, vendor: "GenuineIntel", family: 6, model: 207)
        ),
        ("vendor_id\t: AuthenticAMD\ncpu family\t: many\nmod", Processor(architecture: .x86, vendor: "AuthenticAMD")),
        ("processor\t: 0\nBogoMIPS\t: 2000.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n", Processor(architecture: .arm)),
        ("processor\t: 0\ncpu\t\t: POWER9, altivec supported\n", Processor(architecture: .power)),
        ("", nil), ("processor\t: 0\nhart\t: 0\nisa\t: rv64imafdc\n", nil), ("\n\nvendor_id\t: late\n", nil), (":::\n\t:\n", nil),
    ])
    func `the kernel's text about processors is parsed as far as possible`(text: String, processor: Processor?) {
        #expect(Processor(information: text) == processor)
        if let processor { #expect(Processor(information: processor.information) == processor) }
    }

    @Test
    func `an incomplete row of distances is refused`() {
        let json =
            #"{"apiVersion":"nearside/v1alpha1","kind":"Machine","functions":[],"numaNodes":[{"id":0,"distances":[10]},{"id":1}]}"#
        let error = #expect(throws: InputError.self) { try MachineDescription(json: json.utf8) }
        #expect(error?.code == .malformed && error?.step == "numaNodes")
    }

    @Test
    func `a truncated description never traps`() throws {
        let json = Array(try #require(try MachineDescription.embedded("hgx-a100")).json())
        for length in stride(from: 0, to: json.count - 1, by: 97) {
            #expect(throws: InputError.self) { try MachineDescription(json: json[..<length]) }
        }
    }
}

struct PCIAddressTests {
    @Test(arguments: ["0000:8a:00.0", "10000:e1:00.7", "ffffffff:ff:1f.7"])
    func `an address prints in the form in which it was parsed`(text: String) throws {
        #expect(try #require(PCIAddress(parsing: text)).description == text)
    }

    @Test(arguments: [
        "", "0000:8a:00", "8a:00.0", "0000:8a:00.8", "0000:8a:20.0", "0000:8a:0.0", "-000:8a:00.0", "0000:+a:00.0",
        "0000:8a:00.0 ", "123456789:00:00.0", "0000:8a:00.0.1", "pci0000:00",
    ])
    func `a malformed address is refused`(text: String) { #expect(PCIAddress(parsing: text) == nil) }

    @Test
    func `bus order is by domain, bus, device and function`() throws {
        let texts = ["0000:00:01.1", "0000:00:02.0", "0000:0a:00.0", "0001:00:00.0", "10000:00:00.0"]
        #expect(texts.compactMap { PCIAddress(parsing: $0) }.shuffled().sorted().map(\.description) == texts)
    }
}
