// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Primitives
package import ResourceAPI

/// Slices and claims of a cluster, from the output of kubectl.
package struct ClusterState: Sendable {
    package var slices: [ResourceSlice] = []
    package var claims: [ResourceClaim] = []
    /// One line for each object that could not be decoded.
    package var warnings: [String] = []

    package init() {}

    /// Decodes lists in JSON. An object that cannot be decoded is skipped with a warning.
    package init(slices: [UInt8], claims: [UInt8]) throws(InputError) {
        self.slices = try Self.list(slices, "ResourceSlices", &warnings) {
            try JSONDecoder().decode(ResourceSlice.self, from: Data($0))
        }
        self.claims = try Self.list(claims, "ResourceClaims", &warnings) { try ResourceClaim(json: $0) }
    }

    private static func list<Object>(
        _ bytes: [UInt8], _ what: String, _ warnings: inout [String], _ object: ([UInt8]) throws -> Object
    ) throws(InputError) -> [Object] {
        var items: [[UInt8]]?
        do throws(JSONError) {
            var reader = try JSONReader(bytes, limits: .document)
            try reader.members { (reader, name) throws(JSONError) in
                guard name == "items" else { return _ = try reader.skip() }
                var found: [[UInt8]] = []
                try reader.elements { (reader) throws(JSONError) in found.append(Array(try reader.skip())) }
                items = found
            }
            try reader.finish()
        } catch { throw InputError(.malformed, "list of \(what)", "not JSON: \(error)") }
        guard let items else { throw InputError(.missing, "list of \(what)", "no items") }
        var objects: [Object] = []
        for item in items {
            do { objects.append(try object(item)) } catch {
                let name = (try? JSONDecoder().decode(Named.self, from: Data(item)))?.metadata.name
                warnings.append("\(name ?? "?") of the \(what) cannot be decoded; it is skipped")
            }
        }
        return objects
    }

    /// Returns the slices of each pool's newest generation, by driver and pool. An incomplete pool is skipped with a warning.
    package func pools(warnings: inout [String]) -> [[String]: [ResourceSlice]] {
        var pools: [[String]: [ResourceSlice]] = [:]
        for (key, slices) in Dictionary(grouping: slices, by: { [$0.spec.driver, $0.spec.pool.name] }) {
            let newest = slices.map(\.spec.pool.generation).max() ?? 0
            let current = slices.filter { $0.spec.pool.generation == newest }
            if current.contains(where: { $0.spec.pool.resourceSliceCount != Int64(current.count) }) {
                warnings.append("pool \(key[1]) of \(key[0]) is being written: \(current.count) slices of generation \(newest)")
            } else {
                pools[key] = current
            }
        }
        return pools
    }

    /// Returns the capabilities of the cluster for requests of a driver's devices.
    package func capabilities(driver: String) -> ClusterCapabilities {
        var capabilities = ClusterCapabilities()
        let devices = slices.filter { $0.spec.driver == driver }.flatMap { $0.spec.devices ?? [] }
        if devices.isEmpty { capabilities.warnings.append("no node of this cluster publishes devices of \(driver) yet") }
        let pairs = devices.filter { $0.attribute("kind") == "pair" }
        let owned = devices.filter { $0.attribute("kind") == "accelerator" && $0.attribute("pair") != nil }
        if let first = pairs.first {
            capabilities.acceleratorsPerPair = first.number("accelerators") ?? 1
            capabilities.nicsPerPair = first.number("nics") ?? 1
        } else {
            let nics = devices.filter { $0.attribute("kind") == "nic" && $0.attribute("pair") != nil }
            let node = slices.first { $0.spec.driver == driver && $0.spec.devices?.contains { $0.attribute("pair") != nil } == true }?.spec
                .pool.name
            let own = slices.filter { $0.spec.driver == driver && $0.spec.pool.name == node }.flatMap { $0.spec.devices ?? [] }
            let names = Set(own.compactMap { $0.attribute("pair") }).count
            if names > 0 {
                capabilities.nicsPerPair = max(1, own.count { $0.attribute("kind") == "nic" && $0.attribute("pair") != nil } / names)
                let accelerators = own.count { $0.attribute("kind") == "accelerator" && $0.attribute("pair") != nil }
                capabilities.acceleratorsPerPair = max(1, accelerators / names)
            }
            if !owned.isEmpty {
                capabilities.form = .constraints
            } else if !nics.isEmpty {
                let vendors = Set(slices.map(\.spec.driver))
                let vendor =
                    ["gpu.nvidia.com", "gpu.amd.com", ClusterCapabilities.neuronClass].first(where: vendors.contains) ?? "gpu.nvidia.com"
                capabilities.form = .vendor(deviceClass: vendor, attribute: "resource.kubernetes.io/pcieRoot")
            }
        }
        return capabilities
    }
}

private struct Named: Decodable { var metadata: Metadata }

extension SliceDevice {
    /// Returns the value of a string attribute.
    func attribute(_ name: String) -> String? {
        if case .string(let text)? = attributes?[name] { text } else { nil }
    }

    func number(_ name: String) -> Int? {
        if case .int(let number)? = attributes?[name] { Int(exactly: number) } else { nil }
    }
}
