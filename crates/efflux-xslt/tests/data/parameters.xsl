<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:param name="region"/><xsl:param name="unset" select="'default'"/><xsl:param name="quotes"/>
<xsl:template match="/"><out unset="{$unset}" quotes="{$quotes}"><xsl:copy-of select="orders/order[@region = $region]"/></out></xsl:template>
</xsl:stylesheet>
