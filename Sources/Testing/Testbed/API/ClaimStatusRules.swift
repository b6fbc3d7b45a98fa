// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// Server-side apply of device status by drivers (KEP-4817), with the real server's rules. Pure.
enum ClaimStatusRules {
    /// The key of an entry.
    private static func key(_ entry: JSONValue) -> [String] { ["driver", "pool", "device", "shareID"].map { entry[$0].text } }

    /// The claim with the manager's entries replaced by those of the patch.
    ///
    /// - Parameter owned: the keys of the manager's entries, which are updated.
    static func applied(
        _ patch: JSONValue, to claim: JSONValue, owned: inout Set<[String]>
    ) throws(ObjectStore.Refusal) -> JSONValue {
        if let uid = patch["metadata"]?["uid"], uid != claim["metadata"]?["uid"] {
            throw ObjectStore.Refusal(
                code: 409, reason: "Conflict", message: "the UID in the precondition (\(uid)) does not match the UID in record")
        }
        let entries = patch["status"]?["devices"].elements ?? []
        let allocated = (claim["status"]?["allocation"]?["devices"]?["results"]).elements.map(key)
        var causes: [(field: String, reason: String, message: String)] = []
        for (index, entry) in entries.enumerated() {
            let field = "status.devices[\(index)]"
            if !allocated.contains(key(entry)) { causes.append((field, "FieldValueInvalid", "must be an allocated device in the claim")) }
            if entry["conditions"].elements.count > 8 { causes.append(("\(field).conditions", "FieldValueTooMany", "at most 8")) }
            for condition in entry["conditions"].elements {
                for name in ["type", "status", "reason", "lastTransitionTime"] where condition[name].text.isEmpty {
                    causes.append(("\(field).conditions.\(name)", "FieldValueRequired", "Required value"))
                }
            }
            let addresses = (entry["networkData"]?["ips"]).elements
            if addresses.count > 16 || Set(addresses).count != addresses.count {
                causes.append(("\(field).networkData.ips", "FieldValueInvalid", "at most 16, each once"))
            }
            for address in addresses where !(address as JSONValue?).text.contains("/") {
                causes.append(("\(field).networkData.ips", "FieldValueInvalid", "must be a valid address in CIDR form"))
            }
        }
        if !causes.isEmpty { throw ObjectStore.Refusal(invalid: "ResourceClaim", causes) }
        var kept = (claim["status"]?["devices"]).elements.filter { !owned.contains(key($0)) }
        let new = Set(entries.map(key))
        kept.removeAll { new.contains(key($0)) }
        owned = new
        var status = claim["status"].members
        status["devices"] = .array(kept + entries)
        // The right to write the status covers all of its fields.
        for field in ["allocation", "reservedFor"] { if let value = patch["status"]?[field] { status[field] = value } }
        var members = (claim as JSONValue?).members
        members["status"] = .object(status)
        return .object(members)
    }
}
