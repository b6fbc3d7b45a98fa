// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import ResourceAPI
import Synchronization

/// Objects and behaviour that a test chooses, and what the server was asked.
extension APIServer {
    package func add(_ collection: String, _ object: some Encodable) throws {
        let value = try JSONValue(parsing: try JSONEncoder().encode(object))
        _ = try apply { (store) throws(ObjectStore.Refusal) in try store.create(collection, value) }
    }

    /// Deletes an object as a user does.
    package func remove(_ collection: String, _ name: String) throws {
        try apply { (store) throws(ObjectStore.Refusal) in try store.delete(collection, name, nil) }
    }

    /// Sets the exact bytes of all later answers to reads of the object, for texts that are not valid JSON.
    package func answer(_ collection: String, _ name: String, with text: [UInt8]) {
        state.withLock { $0.texts["\(collection)/\(name)"] = text }
    }

    package func slices() throws -> [ResourceSlice] {
        let data = try JSONEncoder().encode(state.withLock { $0.store.list("resourceslices") })
        return try JSONDecoder().decode([ResourceSlice].self, from: data)
    }

    /// Deletes all slices, as the kubelet does with a node's when it starts.
    package func deleteAllSlices() throws {
        for slice in try slices() {
            try apply { (store) throws(ObjectStore.Refusal) in
                try store.delete("resourceslices", slice.metadata.name ?? "", nil)
            }
        }
    }

    /// Method and path of all requests so far.
    package var requests: [String] { state.withLock { $0.requests } }

    /// True when all slices of the newest generation are there; a scheduler looks at none before.
    package func hasWholePool() throws -> Bool {
        let slices = try slices()
        let generation = slices.map(\.spec.pool.generation).max()
        let newest = slices.filter { $0.spec.pool.generation == generation }
        return !newest.isEmpty && newest.allSatisfy { $0.spec.pool.resourceSliceCount == Int64(newest.count) }
            && newest.count == slices.count
    }

    /// Bytes of all requests and answers so far, watches included, without headers.
    package var bytes: Int { state.withLock { $0.bytes } }

    /// From now on as a server with just these feature gates off.
    package func switchOff(_ gates: Set<FeatureGate>) { state.withLock { $0.store.gatesOff = gates } }

    /// From now on with these versions of resource.k8s.io alone.
    package func serve(only versions: Set<ResourceAPIVersion>) { state.withLock { $0.served = versions } }

    /// From now on no driver may write the status of a claim's devices (granular authorization, Kubernetes 1.36).
    package func denyStatus() { state.withLock { $0.deniesStatus = true } }

    /// From now on as a cluster with manifests/node-restriction.yaml, for the token of one node. What tests change by themselves is others'
    /// doing, and goes on unjudged.
    package func restrict(to rules: AdmissionRules) { state.withLock { $0.admission = rules } }

    /// Forgets the past: a watch has to begin at what is now.
    package func compact() { state.withLock { $0.store.compact() } }

    package func events() throws -> [Event] {
        let data = try JSONEncoder().encode(state.withLock { $0.store.list("events/default") })
        return try JSONDecoder().decode([Event].self, from: data)
    }

    package func claim(_ name: String) throws -> ResourceClaim {
        let value = try apply { (store) throws(ObjectStore.Refusal) in try store.get("resourceclaims/default", name) }
        return try ResourceClaim(json: value.text)
    }

    /// Reserves an allocated claim for a pod, as the scheduler does.
    package func reserve(_ name: String, for pod: ConsumerReference) throws {
        var claim = try claim(name)
        let reserved = claim.status?.reservedFor ?? []
        claim.status?.reservedFor = reserved + [pod]
        try remove("resourceclaims/default", name)
        try add("resourceclaims/default", claim)
    }

    package func pod(_ name: String) throws -> Pod {
        let value = try apply { (store) throws(ObjectStore.Refusal) in try store.get("pods/default", name) }
        return try JSONDecoder().decode(Pod.self, from: JSONEncoder().encode(value))
    }

    /// Replaces a slice, as another writer would.
    package func replace(_ slice: ResourceSlice) throws {
        let value = try JSONValue(parsing: JSONEncoder().encode(slice))
        try apply { (store) throws(ObjectStore.Refusal) in try store.replace("resourceslices", slice.metadata.name ?? "", value) }
    }

    package func inject(_ fault: Fault) { state.withLock { $0.faults.append(fault) } }

    /// From now on as it should be.
    package func recover() { state.withLock { $0.faults = [] } }
}
