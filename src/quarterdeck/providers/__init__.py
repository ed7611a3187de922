"""Connections to model providers: who answers, where, with which key, and who may use it. A release only names one."""
