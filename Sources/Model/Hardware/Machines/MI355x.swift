// SPDX-License-Identifier: Apache-2.0

extension MachineDescription {
    /// 8 x MI355X with Thor2, as a machine description.
    static let mi355x = #"""
        {"apiVersion": "nearside/v1alpha1", "kind": "Machine", "name": "8 x MI355X with Thor2",
         "source": "NCCL topology file 8p_950 of ROCm/rccl (BSD-3-Clause)",
         "note": "From a NCCL topology file: bridges are switch ports, and host bridges and root ports are unknown. Drivers, names of RDMA devices and numbers of /dev nodes are assumed in bus order.",
         "numaNodes": [{"id": 0}, {"id": 1}],
         "functions": [
          {"address": "0000:03:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:01:00.0"], "numaNode": 0, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re0", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs0", "major": 231, "minor": 192}]}]},
          {"address": "0000:08:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:01:00.0", "0000:06:00.0"], "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:13:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:11:00.0"], "numaNode": 0, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re1", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs1", "major": 231, "minor": 193}]}]},
          {"address": "0000:18:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:11:00.0", "0000:16:00.0"], "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:63:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:61:00.0"], "numaNode": 0, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re2", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs2", "major": 231, "minor": 194}]}]},
          {"address": "0000:68:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:61:00.0", "0000:66:00.0"], "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:73:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:71:00.0"], "numaNode": 0, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re3", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs3", "major": 231, "minor": 195}]}]},
          {"address": "0000:78:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:71:00.0", "0000:76:00.0"], "numaNode": 0, "driver": "amdgpu"},
          {"address": "0000:83:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:81:00.0"], "numaNode": 1, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re4", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs4", "major": 231, "minor": 196}]}]},
          {"address": "0000:88:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:81:00.0", "0000:86:00.0"], "numaNode": 1, "driver": "amdgpu"},
          {"address": "0000:93:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:91:00.0"], "numaNode": 1, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re5", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs5", "major": 231, "minor": 197}]}]},
          {"address": "0000:98:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:91:00.0", "0000:96:00.0"], "numaNode": 1, "driver": "amdgpu"},
          {"address": "0000:e3:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:e1:00.0"], "numaNode": 1, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re6", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs6", "major": 231, "minor": 198}]}]},
          {"address": "0000:e8:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:e1:00.0", "0000:e6:00.0"], "numaNode": 1, "driver": "amdgpu"},
          {"address": "0000:f3:00.0", "vendor": "14e4", "device": "1760", "class": "020000", "path": ["0000:f1:00.0"], "numaNode": 1, "driver": "bnxt_en", "rdmaDevices": [{"name": "bnxt_re7", "ports": [{"number": 1, "rate": 400.0, "state": "ACTIVE", "linkLayer": "Ethernet"}], "charDevices": [{"path": "/dev/infiniband/uverbs7", "major": 231, "minor": 199}]}]},
          {"address": "0000:f9:00.0", "vendor": "1002", "device": "75a0", "class": "120000", "path": ["0000:f1:00.0", "0000:f7:00.0"], "numaNode": 1, "driver": "amdgpu"}
         ]}
        """#
}
