// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Where the API server is, and who we are there.
package struct APIEndpoint: Sendable {
    /// Scheme, host and port, without a final slash.
    package var url: String
    /// Holds the bearer token. It is read for every request, since the kubelet replaces it.
    package var tokenFile: String?
    /// Certificates that the server's is checked against; nil: those of the system.
    package var caFile: String?

    package init(url: String, tokenFile: String? = nil, caFile: String? = nil) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.tokenFile = tokenFile
        self.caFile = caFile
    }

    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// What the kubelet gives every pod; nil outside of one.
    package static func inCluster(_ environment: [String: String]) -> APIEndpoint? {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"] else {
            return nil
        }
        let name = host.contains(":") ? "[\(host)]" : host
        return APIEndpoint(url: "https://\(name):\(port)", tokenFile: folder + "/token", caFile: folder + "/ca.crt")
    }

    func token() throws(APIError) -> String? {
        guard let tokenFile else { return nil }
        guard let data = try? Data(contentsOf: URL(filePath: tokenFile)) else {
            throw APIError("read the token for", url, status: 0, reason: "NoToken", message: "\(tokenFile) cannot be read")
        }
        let text = String(decoding: data, as: UTF8.self)
        return String(text.prefix { !$0.isWhitespace })
    }
}
