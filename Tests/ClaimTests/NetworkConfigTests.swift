// SPDX-License-Identifier: Apache-2.0

import Addressing
import ClaimConfig
import FoundationEssentials
import ResourceAPI
import Testing

private func json(_ text: String) throws -> JSONValue { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }

struct NetworkConfigTests {
    @Test
    func `both forms are taken, versioned and not`() throws {
        let body =
            #""interface":{"name":"net1","mtu":9000,"addresses":["10.0.0.5/24"],"hardwareAddr":"02:00:00:00:00:01"},"routes":[{"destination":"10.1.0.0/16","gateway":"10.0.0.1"},{"destination":"10.2.0.0/16","scope":253}]"#
        let plain = try NetworkConfig(try json("{\(body)}"))
        let versioned = try NetworkConfig(try json(#"{"apiVersion":"nearside/v1alpha1","kind":"NetworkConfig",\#(body)}"#))
        #expect(plain == versioned)
        #expect(plain.name == "net1")
        #expect(plain.mtu == 9000)
        #expect(plain.addresses?.map(\.description) == ["10.0.0.5/24"])
        #expect(plain.hardwareAddress?.description == "02:00:00:00:00:01")
        #expect(plain.routes?.map(\.destination.description) == ["10.1.0.0/16", "10.2.0.0/16"])
    }

    @Test
    func `all problems are told at once, each with its place`() throws {
        let error = #expect(throws: InvalidConfig.self) {
            try NetworkConfig(
                try json(
                    #"""
                    {"interface":{"name":"a name that is too long","mtu":67,"addresses":["10.0.0.5",7],"dhpc":true},
                     "routes":[{"gateway":"10.0.0.1"},{"destination":"10.1.0.1/16","gateway":"fe80::1"},{"destination":"10.3.0.0/16"}],
                     "kind":"Pod"}
                    """#))
        }
        #expect(
            error?.problems.map(\.path) == [
                "kind", "interface.dhpc", "interface.name", "interface.addresses[0]", "interface.addresses[1]", "interface.mtu",
                "routes[0].destination", "routes[1].destination", "routes[1].gateway", "routes[2].gateway",
            ])
        #expect(error?.description.contains("known are name, addresses, mtu, hardwareAddr") == true)
    }

    @Test(arguments: ["[]", "7", "null", #""text""#, #"{"interface":[]}"#, #"{"routes":{}}"#, #"{"routes":[1]}"#])
    func `what has the wrong shape is refused`(text: String) {
        #expect(throws: InvalidConfig.self) { try NetworkConfig(try json(text)) }
    }

    @Test
    func `a claim's configuration is laid over its class's, field by field`() throws {
        let base = try NetworkConfig(try json(#"{"interface":{"name":"a","mtu":1500},"routes":[]}"#))
        let over = try NetworkConfig(try json(#"{"interface":{"mtu":9000,"addresses":[]}}"#))
        let merged = base.overlaid(by: over)
        #expect(merged.name == "a")
        #expect(merged.mtu == 9000)
        #expect(merged.addresses == [], "an empty list says: none")
        #expect(merged.routes == [])
    }
}
