// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Hardware
import Linux
import NetworkModel
import ResourceAPI
import Testbed
import Testing

/// `api/machine.schema.json` compared with encoded machines.
struct SchemaTests {
    private func json(_ bytes: [UInt8]) throws -> JSONValue { try JSONValue(parsing: bytes) }

    /// A machine with everything that a file can hold.
    private func machine() throws -> Machine {
        var machine = try Zoo.machine()
        var netdev = machine.virtualNetdevs[0]
        netdev.permanentMAC = HardwareAddress(parsing: "02:00:00:00:00:01")
        netdev.minimalMTU = 68
        netdev.maximalMTU = 9000
        netdev.firmware = "1.2"
        netdev.alternativeNames = ["enp1s0"]
        netdev.addresses = ["10.0.0.1/24"].compactMap { IPPrefix(parsing: $0) }
        netdev.parentDevice = "virtio0"
        netdev.hostUse = HostUse(.upperInterface, "store0", stackedWith: "bond0")
        netdev.isEnabled = true
        netdev.encapsulation = "ether"
        machine.virtualNetdevs[0] = netdev
        machine.processor = Processor(architecture: .x86, vendor: "GenuineIntel", family: 6, model: 207)
        return machine
    }

    @Test
    func `every encoded field is in the schema, and every field of the schema can be encoded`() throws {
        let schema = try json(try Files.read("\(Place.project)/api/machine.schema.json"))
        let description = MachineDescription(machine: try machine(), source: "here", note: "there")
        var written: Set<String> = []
        try compare(try json(try description.json()), with: schema, "machine", schema, &written)
        var known = fields(schema, "machine")
        guard case .object(let definitions)? = schema["$defs"] else { return }
        for (name, definition) in definitions { known.formUnion(fields(definition, name)) }
        #expect(known.subtracting(written).sorted() == [])
    }

    private func fields(_ schema: JSONValue, _ name: String) -> Set<String> {
        guard case .object(let properties)? = schema["properties"] else { return [] }
        return Set(properties.keys.map { "\(name).\($0)" })
    }

    /// Validates a value against the definition of this name.
    private func compare(
        _ value: JSONValue, with schema: JSONValue, _ name: String, _ root: JSONValue, _ written: inout Set<String>
    ) throws {
        if case .string(let reference)? = schema["$ref"], let name = reference.split(separator: "/").last.map(String.init) {
            return try compare(value, with: root["$defs"]?[name] ?? .null, name, root, &written)
        }
        switch value {
        case .object(let members):
            for (key, member) in members {
                let known = try #require(schema["properties"]?[key], "\(name).\(key) is not in the schema")
                written.insert("\(name).\(key)")
                try compare(member, with: known, "\(name).\(key)", root, &written)
            }
        case .array(let elements):
            let items = try #require(schema["items"], "\(name) is not a list in the schema")
            for element in elements { try compare(element, with: items, name, root, &written) }
        default: break
        }
    }
}
