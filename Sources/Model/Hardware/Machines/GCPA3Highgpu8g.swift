// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// a3-highgpu-8g, as a machine description.
    static let gcpA3Highgpu8g = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "a3-highgpu-8g",
         "source": "Google's NCCL topology file for A3 (Apache-2.0)",
         "note": "NICs without RDMA (GPUDirect-TCPX); the first NIC has the host's traffic. From a NCCL topology file: bridges are switch ports, and host bridges and root ports are unknown. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0000:00:0c.0", "vendor": "1ae0", "device": "0042", "class": "020000", "numaNode": 0, "driver": "gve", "netdevs": [{"name": "eth0", "uplink": true}]},
          {"address": "0000:04:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:02:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:05:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:02:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:06:00.0", "vendor": "1ae0", "device": "0042", "class": "020000", "path": ["0000:02:00.0"], "numaNode": 0, "driver": "gve", "netdevs": [{"name": "eth1"}]},
          {"address": "0000:0a:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:08:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:0b:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:08:00.0"], "numaNode": 0, "driver": "nvidia"},
          {"address": "0000:0c:00.0", "vendor": "1ae0", "device": "0042", "class": "020000", "path": ["0000:08:00.0"], "numaNode": 0, "driver": "gve", "netdevs": [{"name": "eth2"}]},
          {"address": "0000:84:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:82:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:85:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:82:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:86:00.0", "vendor": "1ae0", "device": "0042", "class": "020000", "path": ["0000:82:00.0"], "numaNode": 1, "driver": "gve", "netdevs": [{"name": "eth3"}]},
          {"address": "0000:8a:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:88:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:8b:00.0", "vendor": "10de", "device": "2330", "class": "030200", "path": ["0000:88:00.0"], "numaNode": 1, "driver": "nvidia"},
          {"address": "0000:8c:00.0", "vendor": "1ae0", "device": "0042", "class": "020000", "path": ["0000:88:00.0"], "numaNode": 1, "driver": "gve", "netdevs": [{"name": "eth4"}]}
         ]}
        """#
}
